<?php

use Illuminate\Support\Facades\Route;

Route::get('/items', fn () => response()->json([]));
