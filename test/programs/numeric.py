import hashlib
import numpy as np

rng = np.random.default_rng(7)
a, b = rng.random((300, 300)), rng.random((300, 300))
for n in range(180):
    b = np.sort(a @ b / 150, axis=1)[:, ::-1]
    f = np.fft.fft2(b).real
    u, s, v = np.linalg.svd(b[:100, :100])
    if n % 30 == 0:
        print(n, round(float(s[0]), 6), round(float(f.sum()), 3), flush=True)
print(hashlib.sha256(np.round(b, 8).tobytes()).hexdigest())
