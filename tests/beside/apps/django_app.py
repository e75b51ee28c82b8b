"""Django, and urllib to itself: the views, their URLs, and the application for a server."""

import logging
import urllib.request

from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path

from qudag_otel import instrumented

log = logging.getLogger("shop")


@instrumented(name="place", component="shop")
def place(base: str) -> str:
    with urllib.request.urlopen(f"{base}/inner", timeout=10) as answer:
        text: str = answer.read().decode()
    log.warning("order placed")
    return text


def outer(request: HttpRequest) -> HttpResponse:
    return HttpResponse(place(f"http://{request.get_host()}"))


def inner(_: HttpRequest) -> HttpResponse:
    return HttpResponse("done")


urlpatterns = [path("", outer), path("inner", inner)]
application = get_wsgi_application()
