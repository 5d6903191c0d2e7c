"""Post notifications to a chat webhook instead of sending mail. Run it instead of `lockbox worker mail`. Needs: pip install pika.
    CHAT_WEBHOOK=https://chat.contoso.example/hook python3 examples/notifications_to_chat.py"""
import json, os, urllib.request, uuid
from urllib.parse import urlparse
import pika

url = os.environ.get("LOCKBOX_AMQP_URL", "amqp://guest:guest@127.0.0.1:5672/%2f")
channel = pika.BlockingConnection(pika.URLParameters(url)).channel()


def post(_channel, method, _properties, body):
    message = json.loads(body)
    notification, address = message["data"], message["data"]["recipient"]["address"]
    what = notification.get("template", "settings_changed")
    text = f"{address}: {notification.get('tenant_name', 'vendor')} {notification.get('service_request', '')}: {what.replace('_', ' ')}"
    body = json.dumps({"id": notification["notification"], "text": text}).encode()
    request = urllib.request.Request(os.environ["CHAT_WEBHOOK"], body, {"Content-Type": "application/json"})
    urllib.request.urlopen(request, timeout=10)  # If this fails, the notification arrives again with the same id.
    data = {"message": message["id"], "notification": notification["notification"], "template": what, "recipient": address}
    data |= {name: notification[name] for name in ("request", "service_request") if name in notification}
    report = {"specversion": "1.0", "id": str(uuid.uuid4()), "source": "/chat", "type": "lockbox.notification.report.v1", "data": data}
    channel.basic_publish("lockbox.requests", "notification.report.v1", json.dumps(report), pika.BasicProperties(
        content_type="application/cloudevents+json", delivery_mode=2, message_id=report["id"], user_id=urlparse(url).username))
    channel.basic_ack(method.delivery_tag)


channel.basic_qos(prefetch_count=10)
channel.basic_consume("lockbox.mail", post)
channel.start_consuming()
