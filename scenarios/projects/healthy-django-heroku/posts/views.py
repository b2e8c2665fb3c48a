from django.http import JsonResponse

from .models import Post


def all_posts(request):
    return JsonResponse({"posts": list(Post.objects.values("id", "title"))})
