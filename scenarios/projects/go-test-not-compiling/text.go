package text

func Title(s string) string {
	return s
}
