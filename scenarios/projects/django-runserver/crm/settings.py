ROOT_URLCONF = "crm.urls"
