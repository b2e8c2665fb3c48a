package main

import (
	"net/http"
	"os"

	"github.com/go-chi/chi/v5"
)

func must(name string) string {
	value := os.Getenv(name)
	if value == "" {
		panic(name + " is not set")
	}
	return value
}

func main() {
	redis := must("REDIS_URL")
	r := chi.NewRouter()
	r.Get("/cache", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(redis)) })
	http.ListenAndServe(":8080", r)
}
