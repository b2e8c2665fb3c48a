from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    operations = [
        migrations.CreateModel(name="Post", fields=[("id", models.AutoField(primary_key=True)), ("title", models.CharField(max_length=200))]),
    ]
