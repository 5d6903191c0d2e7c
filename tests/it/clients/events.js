// Reads every event of a file with the CloudEvents SDK for JavaScript, and prints a message that it makes of a request.
// Usage: events.js DATA_FILE EVENTS_FILE
const fs = require("node:fs");
const { CloudEvent, HTTP } = require("cloudevents");

const [dataFile, eventsFile] = process.argv.slice(2);
for (const line of fs.readFileSync(eventsFile, "utf8").split("\n").filter(Boolean)) {
  const event = HTTP.toEvent({ headers: { "content-type": "application/cloudevents+json" }, body: line });
  if (!event.type.startsWith("lockbox.") || !event.validate()) throw new Error(line);
}
const data = JSON.parse(fs.readFileSync(dataFile, "utf8"));
const event = new CloudEvent({ source: "/ticketing/sdk", type: "lockbox.request.submit.v1", data, extended: "by us" });
process.stdout.write(JSON.stringify({ id: event.id, body: HTTP.structured(event).body }));
