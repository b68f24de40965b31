"""How much of an image is built, by what BuildKit says."""

from bertbuild.isolation.image_builds import Vertices

DOCKERFILE = """FROM base AS one
RUN true
COPY a b
FROM one
WORKDIR /x
ENV RUN=no
"""
SAID = """#1 [internal] load build definition
#1 DONE 0.0s
#5 [tf1 base37 1/1] FROM python
#5 CACHED
#6 [tf1 one 1/2] RUN true
#6 0.2 Collecting numpy
#6 DONE 3.4s
#7 [tf1 one 2/2] COPY a b
#7 DONE 0.1s
#8 exporting to image
#8 DONE 1.0s"""


def test_each_line_says_how_much_of_the_build_is_done(tmp_path):
    path = tmp_path / "Dockerfile"
    path.write_text(DOCKERFILE)
    vertices = Vertices(path)
    counted = [vertices.counted(line) for line in SAID.splitlines()]
    assert counted[0] == "#1 [internal] load build definition"
    assert counted[2] == "0 of 4: #5 [tf1 base37 1/1] FROM python"
    assert counted[5] == "1 of 4: #6 0.2 Collecting numpy"
    assert counted[-1] == "3 of 4: #8 DONE 1.0s"
