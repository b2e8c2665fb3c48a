package main

import "testing"

func TestDouble(t *testing.T) {
	if got := double(4); got != 8 {
		t.Fatalf("got %d", got)
	}
}
