# The dashboard as an image: docker build -t forecasting-lab . && docker run -p 8501:8501 -v forecasting-lab:/data forecasting-lab
# It writes to /data and /tmp alone: docker run --read-only --tmpfs /tmp …
ARG PYTHON=3.12

FROM python:${PYTHON}-slim AS build
# or gpu: CUDA's libraries come along as wheels, the host has the driver and NVIDIA's container toolkit
ARG TENSORFLOW=cpu
COPY requirements.txt Dockerfile.lock /app/
RUN sed -i "s/^tensorflow-cpu/tensorflow-$TENSORFLOW/; s/^tensorflow-gpu/tensorflow[and-cuda]/" /app/requirements.txt \
 && python -m venv /opt/venv \
 && /opt/venv/bin/pip install --no-cache-dir --no-compile -r /app/requirements.txt -c /app/Dockerfile.lock \
 # headers and a compiler library that only building TensorFlow extensions needs: 350 MB
 && rm -rf /opt/venv/lib/python*/site-packages/tensorflow/include /opt/venv/lib/python*/site-packages/clang \
 && find /opt/venv -type d -name tests -path "*site-packages*" -prune -exec rm -rf {} + \
 # importing TensorFlow takes 2.4 s with bytecode and 7.5 s without
 && /opt/venv/bin/python -m compileall -q -j 0 /opt/venv/lib
COPY forecasting /app/forecasting
COPY dashboard /app/dashboard
RUN chmod -R a+rX /app && /opt/venv/bin/python -m compileall -q /app

FROM python:${PYTHON}-slim
# Any user will do who is in group 0, as OpenShift's are.
RUN useradd --uid 1000 --gid 0 --no-create-home --home-dir /tmp lab && mkdir -m 775 /data && chown lab:0 /data
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
ENV PATH=/opt/venv/bin:$PATH \
    HOME=/tmp \
    PYTHONUNBUFFERED=1 \
    PORT=8501 \
    FORECASTING_DATABASE_URL=sqlite:////data/lab.db \
    STREAMLIT_SERVER_HEADLESS=true \
    STREAMLIT_SERVER_ADDRESS=0.0.0.0 \
    STREAMLIT_SERVER_FILE_WATCHER_TYPE=none \
    # with it, Streamlit would ask a server on the internet for its own address, and wait up to 5 s for the answer
    STREAMLIT_LOGGER_HIDE_WELCOME_MESSAGE=true
# A number, because Kubernetes cannot tell whether a name is root's.
USER 1000
WORKDIR /app
VOLUME /data
EXPOSE 8501
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s CMD python -c "import os, http.client as h; \
    c = h.HTTPConnection('127.0.0.1', os.environ['PORT'], timeout=4); \
    c.request('GET', os.path.join('/', os.environ.get('STREAMLIT_SERVER_BASE_URL_PATH', '').strip('/'), '_stcore/health')); \
    exit(c.getresponse().status != 200)"
CMD ["sh", "-c", "exec streamlit run dashboard/app.py --server.port=$PORT"]
