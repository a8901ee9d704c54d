# The program `vision` for the CPU, alone: `docker build -t vision . && docker run --rm -v "$PWD:/work" vision train plants`,
# and as a service `docker run --rm -v "$PWD:/work:ro" -p 127.0.0.1:8080:8080 vision serve run --listen 0.0.0.0:8080`
FROM rust:1.95 AS build
RUN apt-get update && apt-get install --yes musl-tools
WORKDIR /src
COPY . .
RUN target=$(uname -m)-unknown-linux-musl && rustup target add $target && \
    cargo build --release --package vision-cli --target $target --locked && cp target/$target/release/vision /vision

FROM scratch
COPY --from=build /vision /usr/local/bin/vision
# Downloads are kept if a volume is mounted here.
ENV VISION_HOME=/cache
WORKDIR /work
ENTRYPOINT ["/usr/local/bin/vision"]
