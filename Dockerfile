# syntax=docker/dockerfile:1
# The demo node, as a container of compose.yaml's profile "demo".
FROM python:3.13.9-slim-trixie AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY qudag_otel ./qudag_otel
COPY instrumentation ./instrumentation
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir ".[demo]"

FROM python:3.13.9-slim-trixie
RUN useradd --system --uid 10001 --no-create-home qudag
COPY --from=build /venv /venv
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
ENTRYPOINT ["qudag-otel"]
CMD ["demo", "--headless"]
