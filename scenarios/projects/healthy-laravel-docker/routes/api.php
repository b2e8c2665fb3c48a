<?php

use Illuminate\Support\Facades\Route;

Route::get('/items/{id}', fn (int $id) => response()->json(['id' => $id]));
