// rest-typings is made for bundlers: ES modules without "type" in package.json and
// without file endings in their imports. These hooks let node load it as it is.

export async function resolve(name, context, next) {
  if (name === '@rocket.chat/core-typings') {
    return next(new URL('./enums.js', import.meta.url).href, context);
  }
  for (const ending of ['', '.js', '/index.js']) {
    try {
      return await next(name + ending, context);
    } catch (error) {
      if (ending === '/index.js') throw error;
    }
  }
}

export async function load(url, context, next) {
  const typings = /\/node_modules\/rest-typings-[^/]+\/dist\//.test(url);
  return next(url, typings ? { ...context, format: 'module' } : context);
}
