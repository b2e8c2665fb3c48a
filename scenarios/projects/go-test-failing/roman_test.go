package roman

import "testing"

func TestOne(t *testing.T) {
	if Digit(1) != "I" {
		t.Fatal("1 is I")
	}
}

func TestFour(t *testing.T) {
	if got := Digit(4); got != "IV" {
		t.Fatalf("4 is IV, got %q", got)
	}
}
