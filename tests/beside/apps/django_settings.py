"""The least that Django needs."""

ROOT_URLCONF = "django_app"
WSGI_APPLICATION = "django_app.application"
ALLOWED_HOSTS = ["*"]
DEBUG = True
SECRET_KEY = "of a test"
INSTALLED_APPS: list[str] = []
MIDDLEWARE: list[str] = []
USE_TZ = True
