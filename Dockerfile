# The dashboard as an image: docker build -t forecasting-lab . && docker run -p 8501:8501 -v lab:/data forecasting-lab
ARG PYTHON=3.12

FROM python:${PYTHON}-slim AS build
COPY requirements.txt /tmp/requirements.txt
RUN python -m venv /opt/venv \
 && /opt/venv/bin/pip install --no-cache-dir --no-compile -r /tmp/requirements.txt \
 # headers and a compiler library that only building TensorFlow extensions needs: 350 MB
 && rm -rf /opt/venv/lib/python*/site-packages/tensorflow/include /opt/venv/lib/python*/site-packages/clang \
 && find /opt/venv -type d -name tests -path "*site-packages*" -prune -exec rm -rf {} + \
 # importing TensorFlow takes 2.4 s with bytecode and 7.5 s without
 && /opt/venv/bin/python -m compileall -q -j 0 /opt/venv/lib
COPY forecasting /app/forecasting
COPY dashboard /app/dashboard
RUN /opt/venv/bin/python -m compileall -q /app

FROM python:${PYTHON}-slim
RUN useradd --uid 1000 --create-home lab && mkdir /data && chown lab /data
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PORT=8501 \
    FORECASTING_DATABASE_URL=sqlite:////data/lab.db \
    STREAMLIT_SERVER_HEADLESS=true \
    STREAMLIT_SERVER_ADDRESS=0.0.0.0 \
    STREAMLIT_SERVER_FILE_WATCHER_TYPE=none
USER lab
WORKDIR /app
VOLUME /data
EXPOSE 8501
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f\"http://127.0.0.1:{os.environ['PORT']}/{os.environ.get('STREAMLIT_SERVER_BASE_URL_PATH', '').strip('/')}/_stcore/health\".replace('//_', '/_'), timeout=4)"]
CMD ["sh", "-c", "exec streamlit run dashboard/app.py --server.port=$PORT"]
