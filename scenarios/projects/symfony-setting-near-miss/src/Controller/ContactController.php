<?php

namespace App\Controller;

use Symfony\Component\HttpFoundation\Response;
use Symfony\Component\Routing\Attribute\Route;

class ContactController
{
    #[Route('/contact', methods: ['GET'])]
    public function show(): Response
    {
        return new Response('contact');
    }
}
