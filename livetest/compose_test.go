package livetest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// composeFile reads compose.yml as docker compose does.
func composeFile(t *testing.T, env ...string) *types.Project {
	t.Helper()
	options, err := cli.NewProjectOptions([]string{"compose.yml"}, cli.WithEnv(env))
	require.NoError(t, err)
	project, err := options.LoadProject(t.Context())
	require.NoError(t, err)
	return project
}

// TestComposeFile: it is valid, takes the versions that it is asked for, and publishes
// nothing beyond this machine.
func TestComposeFile(t *testing.T) {
	t.Parallel()
	project := composeFile(t, "ROCKETCHAT_VERSION=7.13.0", "MONGODB_VERSION=7.0")
	assert.Equal(t, "rocketchat/rocket.chat:7.13.0", project.Services["rocketchat"].Image)
	assert.Equal(t, "mongo:7.0", project.Services["mongodb"].Image)
	for name, service := range project.Services {
		for _, port := range service.Ports {
			assert.Equal(t, "127.0.0.1", port.HostIP, name)
		}
	}
	assert.Equal(t, "rocketchat/rocket.chat:latest", composeFile(t).Services["rocketchat"].Image)

	docker, err := exec.LookPath("docker")
	if err != nil || exec.CommandContext(t.Context(), docker, "compose", "version").Run() != nil {
		t.Log("docker compose is not installed: only its library has read the file")
		return
	}
	out, err := exec.CommandContext(t.Context(), docker, "compose", "-f", "compose.yml", "config", "--quiet").CombinedOutput()
	assert.NoError(t, err, string(out))
}

// TestHealthCheck: the server counts as healthy when it answers /api/info, and not before.
func TestHealthCheck(t *testing.T) {
	t.Parallel()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("node is not installed")
	}
	check := composeFile(t).Services["rocketchat"].HealthCheck.Test
	require.Equal(t, []string{"CMD", "node", "-e"}, []string(check[:3]))
	require.Len(t, check, 4)
	healthy := func(address string) bool {
		program := strings.ReplaceAll(check[3], "http://127.0.0.1:3000", address)
		require.NotEqual(t, check[3], program)
		ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
		defer cancel()
		return exec.CommandContext(ctx, node, "-e", program).Run() == nil
	}

	var ready atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, "/api/info", r.URL.Path)
		if !ready.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	assert.False(t, healthy(server.URL), "it answers 503")
	ready.Store(true)
	assert.True(t, healthy(server.URL), "it answers 200")
	server.Close()
	assert.False(t, healthy(server.URL), "it does not answer")
}
