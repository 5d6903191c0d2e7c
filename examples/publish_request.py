"""Publish one access request as a ticketing system does, and print its events. Needs: pip install pika.
Usage: publish_request.py [SECONDS TO WAIT]. Set LOCKBOX_AMQP_URL for another broker. schemas/asyncapi.yaml is the reference."""
import json, os, sys, time, uuid
from urllib.parse import urlparse
import pika

url = os.environ.get("LOCKBOX_AMQP_URL", "amqp://guest:guest@127.0.0.1:5672/%2f")
channel = pika.BlockingConnection(pika.URLParameters(url)).channel()
channel.confirm_delivery()
mine = channel.queue_declare("", exclusive=True).method.queue
channel.queue_bind(mine, "lockbox.events", "#")
events = channel.consume(mine, auto_ack=True, inactivity_timeout=1)

message = {"specversion": "1.0", "id": str(uuid.uuid4()), "source": "/ticketing/example",
           "type": "lockbox.request.submit.v1", "datacontenttype": "application/json", "data": {
               "tenant": "adatum", "service_request": "SR-2026-004716", "service": "exchange_online",
               "resource": "finance@adatum.example", "severity": "normal", "requester": "robin",
               "justification": {"category": "customer_reported", "text": "Outgoing mail is stuck."}, "duration_seconds": 30}}
channel.basic_publish("lockbox.requests", "request.submit.v1", json.dumps(message), pika.BasicProperties(
    content_type="application/cloudevents+json", delivery_mode=2, message_id=message["id"],
    user_id=urlparse(url).username), mandatory=True)

request, until = None, time.time() + float(sys.argv[1] if len(sys.argv) > 1 else 60)
for _, _, body in iter(lambda: next(events) if time.time() < until else None, None):
    event = json.loads(body) if body else {}
    if event.get("causationid") == message["id"] or (request and event.get("correlationid") == request):
        request = request or event.get("correlationid")
        print(event["time"], event["type"], json.dumps(event["data"]), flush=True)
        if event["type"].split(".")[2] in ("refused", "dead_lettered", "ended", "expired", "withdrawn") or event["type"].split(".")[2].endswith("denied"):
            break
