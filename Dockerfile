# docker build -t jaxsocial .                                 CPU
# docker build -t jaxsocial --build-arg EXTRA='[cuda]' .      NVIDIA; run with --gpus all
# docker run -v "$PWD:/work" jaxsocial train
FROM python:3.13-slim
ARG EXTRA=""
COPY pyproject.toml README.md LICENSE /src/
COPY jaxsocial /src/jaxsocial
RUN pip install --no-cache-dir "/src${EXTRA}" && rm -r /src
RUN useradd --create-home user
USER user
WORKDIR /work
ENTRYPOINT ["jaxsocial"]
CMD ["--help"]
