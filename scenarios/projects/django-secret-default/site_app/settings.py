import os

SECRET_KEY = os.environ.get("DJANGO_SECRET_KEY", "django-insecure-3k2j4h")
DEBUG = os.environ.get("DEBUG", "") == "1"
ROOT_URLCONF = "site_app.urls"
