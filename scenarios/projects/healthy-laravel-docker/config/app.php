<?php

return [
    'name' => env('APP_NAME', 'Items'),
    'key' => env('APP_KEY'),
];
