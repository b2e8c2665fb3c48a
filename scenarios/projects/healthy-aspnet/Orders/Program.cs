var builder = WebApplication.CreateBuilder(args);
builder.Services.AddHealthChecks();
var app = builder.Build();
var level = Environment.GetEnvironmentVariable("LOG_LEVEL") ?? "info";
app.MapHealthChecks("/healthz");
app.MapGet("/api/orders/{id}", (int id) => new { id, level });
app.Run();
