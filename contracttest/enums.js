// All that rest-typings reads at run time from @rocket.chat/core-typings, for
// validators of endpoints that are not checked here.
export const TEAM_TYPE = { PUBLIC: 0, PRIVATE: 1 };
export const TeamType = TEAM_TYPE;
export const ILivechatAgentStatus = { AVAILABLE: 'available', NOT_AVAILABLE: 'not-available' };
export const VoipClientEvents = { CALL_WAITING: 'call-waiting' };
