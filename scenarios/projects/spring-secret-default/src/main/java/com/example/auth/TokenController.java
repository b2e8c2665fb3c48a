package com.example.auth;

import org.springframework.web.bind.annotation.*;

@RestController
public class TokenController {
    @PostMapping("/token")
    public String token() {
        return "t";
    }
}
