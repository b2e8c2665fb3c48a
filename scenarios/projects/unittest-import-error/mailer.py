def send_message(to, text):
    return f"to {to}: {text}"
