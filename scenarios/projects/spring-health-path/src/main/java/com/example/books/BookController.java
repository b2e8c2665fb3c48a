package com.example.books;

import org.springframework.web.bind.annotation.*;

@RestController
@RequestMapping("/api/books")
public class BookController {
    @GetMapping("/{id}")
    public String one(@PathVariable long id) {
        return "book " + id;
    }
}
