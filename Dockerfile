# One image for all processes of the cluster form; docker-compose.yml says which is which.
FROM python:3.11-slim

ENV PYTHONUTF8=1 \
    PYTHONUNBUFFERED=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1

WORKDIR /app

# Wheels with hashes only: nothing is compiled, so the image needs no build tools.
COPY requirements/runtime.txt requirements/runtime.txt
RUN pip install --no-cache-dir --require-hashes --only-binary :all: -r requirements/runtime.txt

COPY . .
RUN python -m compileall -q . \
    && useradd --system --uid 10001 --no-create-home baton \
    && mkdir /data \
    && chown baton /data

USER baton
ENV BATON_DATA=/data
VOLUME /data
EXPOSE 8000

CMD ["python", "manage.py", "serve", "--host", "0.0.0.0"]
