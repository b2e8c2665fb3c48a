from django.urls import include, path

from posts import views

urlpatterns = [
    path("health/", views.health),
    path("api/posts/", include("posts.urls")),
]
