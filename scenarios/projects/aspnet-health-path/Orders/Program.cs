var builder = WebApplication.CreateBuilder(args);
builder.Services.AddHealthChecks();
var app = builder.Build();
app.MapHealthChecks("/healthz");
var api = app.MapGroup("/api");
api.MapGet("/orders/{id}", (int id) => new { id });
app.Run();
