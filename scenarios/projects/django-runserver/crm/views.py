from django.http import JsonResponse


def customers(request):
    return JsonResponse({"customers": []})
