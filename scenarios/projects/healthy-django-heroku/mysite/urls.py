from django.http import JsonResponse
from django.urls import include, path

urlpatterns = [
    path("health", lambda request: JsonResponse({"ok": True})),
    path("api/posts/", include("posts.urls")),
]
