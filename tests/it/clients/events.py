"""Publishes a request in each form that the CloudEvents SDK for Python makes, and reads every event of a file with it.

Usage: events.py AMQP_URL EXCHANGE DATA_FILE EVENTS_FILE; prints the name of each form and the id of its message.
"""

import gzip
import json
import sys
import uuid

import pika
from cloudevents.core.bindings import amqp, rabbitmq
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

url, exchange, data_file, events_file = sys.argv[1:]
with open(data_file, encoding="utf-8") as file:
    data = json.load(file)
parameters = pika.URLParameters(url)
connection = pika.BlockingConnection(parameters)
channel = connection.channel()
channel.confirm_delivery()


def publish(form, make, encode=None):
    name = str(uuid.uuid4())
    attributes = {
        "id": name,
        "source": "/ticketing/sdk",
        "type": "lockbox.request.submit.v1",
        "datacontenttype": "application/json",
    }
    content_type, headers, body = make(CloudEvent(attributes=attributes, data=data))
    if encode == "gzip":
        body = gzip.compress(body)
    properties = pika.BasicProperties(
        content_type=content_type,
        content_encoding=encode,
        headers=headers,
        delivery_mode=2,
        message_id=name,
        user_id=parameters.credentials.username,
    )
    channel.basic_publish(exchange, "request.submit.v1", body, properties, mandatory=True)
    print(form, name, flush=True)


def of_amqp(message):
    return message.properties["content-type"], message.application_properties, message.application_data


def of_rabbitmq(message):
    return message.content_type, message.headers, message.body


publish("amqp-structured", lambda event: of_amqp(amqp.to_structured(event, JSONFormat())))
publish("amqp-binary", lambda event: of_amqp(amqp.to_binary(event, JSONFormat())))
publish("rabbitmq-structured", lambda event: of_rabbitmq(rabbitmq.to_structured(event, JSONFormat())))
publish("rabbitmq-binary", lambda event: of_rabbitmq(rabbitmq.to_binary(event, JSONFormat())))
publish("utf-8", lambda event: of_rabbitmq(rabbitmq.to_structured(event, JSONFormat())), "utf-8")
publish("gzip", lambda event: of_rabbitmq(rabbitmq.to_structured(event, JSONFormat())), "gzip")
publish("deflate", lambda event: of_rabbitmq(rabbitmq.to_structured(event, JSONFormat())), "deflate")
connection.close()

with open(events_file, encoding="utf-8") as file:
    for line in file:
        event = JSONFormat().read(CloudEvent, line)
        assert event.get_type().startswith("lockbox."), line
        assert isinstance(event.get_data(), dict), line
