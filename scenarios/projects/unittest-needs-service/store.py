import socket


def ping(host="127.0.0.1", port=1):
    with socket.create_connection((host, port), timeout=2):
        return True
