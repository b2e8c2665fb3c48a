package roman

func Digit(n int) string {
	switch n {
	case 1:
		return "I"
	case 5:
		return "V"
	}
	return ""
}
