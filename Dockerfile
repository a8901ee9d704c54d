# The program `vision` for the CPU. `docker build -t vision . && docker run --rm -v "$PWD:/work" vision train plants`,
# and as a service `docker run --rm -v "$PWD:/work:ro" -p 127.0.0.1:8080:8080 vision serve run --listen 0.0.0.0:8080`
FROM rust:1.95 AS build
WORKDIR /src
COPY . .
RUN cargo build --release --package vision-cli

# glibc and its C runtime, without a shell.
FROM gcr.io/distroless/cc-debian13
COPY --from=build /src/target/release/vision /usr/local/bin/vision
# Downloads are kept if a volume is mounted here.
ENV VISION_HOME=/cache
WORKDIR /work
ENTRYPOINT ["/usr/local/bin/vision"]
