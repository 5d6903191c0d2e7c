// Verifies deliveries with the libraries that receivers use: one JSON array on standard input, a line each out.
const fs = require("node:fs");

const libraries = { standardwebhooks: require("standardwebhooks"), svix: require("svix") };
for (const delivery of JSON.parse(fs.readFileSync(0, "utf8"))) {
  for (const [library, { Webhook }] of Object.entries(libraries)) {
    let verifies = true;
    try {
      new Webhook(delivery.secret).verify(delivery.body, delivery.headers);
    } catch (fault) {
      if (!/signature/i.test(fault.message)) throw fault;
      verifies = false;
    }
    console.log(JSON.stringify({ library, case: delivery.case, verifies }));
  }
}
