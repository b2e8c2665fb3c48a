from django.http import JsonResponse


def health(request):
    return JsonResponse({"ok": True})


def post(request, pk):
    return JsonResponse({"id": pk})
