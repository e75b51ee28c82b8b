"""Celery with a folder as its broker: a task that sends another one."""

import logging
import os

from celery import Celery

from qudag_otel import instrumented

folder = os.environ["BROKER_FOLDER"]
app = Celery("celery_app", broker="filesystem://")
app.conf.update(
    broker_transport_options={
        "data_folder_in": f"{folder}/queue",
        "data_folder_out": f"{folder}/queue",
        "control_folder": f"{folder}/control",
    },
    worker_hijack_root_logger=False,
    task_ignore_result=True,
)
log = logging.getLogger("shop")


@instrumented(name="place", component="shop")
def place(number: int) -> None:
    log.warning("order placed")
    ship.delay(number)


@app.task
def order(number: int) -> None:
    place(number)


@app.task
def ship(number: int) -> None:
    log.info("order %d shipped", number)
