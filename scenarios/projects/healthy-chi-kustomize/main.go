package main

import (
	"net/http"

	"github.com/go-chi/chi/v5"
)

func main() {
	r := chi.NewRouter()
	r.Get("/ready", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) })
	r.Route("/api", func(r chi.Router) {
		r.Get("/things/{id}", func(w http.ResponseWriter, r *http.Request) {
			w.Write([]byte(chi.URLParam(r, "id")))
		})
	})
	http.ListenAndServe(":8080", r)
}
