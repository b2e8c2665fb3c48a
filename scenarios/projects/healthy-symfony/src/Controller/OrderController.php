<?php

namespace App\Controller;

use Symfony\Component\HttpFoundation\JsonResponse;
use Symfony\Component\Routing\Attribute\Route;

#[Route('/api/orders')]
class OrderController
{
    #[Route('/{id}', methods: ['GET'])]
    public function one(int $id): JsonResponse
    {
        return new JsonResponse(['id' => $id]);
    }
}
