package main

import "github.com/labstack/echo/v4"

func make(c echo.Context) error { return c.NoContent(201) }

func main() {
	e := echo.New()
	v1 := e.Group("/v1")
	v1.POST("/payments", make)
	v1.POST("/refunds", make)
	e.Start(":8080")
}
