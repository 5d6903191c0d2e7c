// Reads an AsyncAPI file as AsyncAPI's own parser does, and prints how many messages and channels it has.
// Usage: asyncapi.js FILE
const { Parser, fromFile } = require("@asyncapi/parser");

(async () => {
  const { document, diagnostics } = await fromFile(new Parser(), process.argv[2]).parse();
  for (const one of diagnostics.filter(({ severity }) => severity <= 1)) {
    console.error(one.severity === 0 ? "error" : "warning", one.code, one.path.join("/"), one.message);
  }
  if (!document || diagnostics.some(({ severity }) => severity === 0)) process.exit(1);
  console.log(document.messages().length, document.channels().length);
})();
