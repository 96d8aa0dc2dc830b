"""Drawn portraits, for training without a download."""

from typing import NamedTuple

import torch
from torch import Tensor

from imgcolor.data.sources.drawing import Canvas, Dice, columns, draw, oval, union

ROOMS = (  # above, below, blobs
    ((196, 190, 178), (176, 168, 154), (210, 206, 198)),  # pale wall
    ((116, 132, 156), (88, 102, 128), (142, 156, 176)),  # blue wall
    ((60, 58, 62), (34, 32, 36), (92, 84, 80)),  # dark hall
    ((126, 92, 66), (90, 62, 44), (178, 140, 96)),  # wood
    ((38, 58, 116), (30, 44, 92), (78, 98, 156)),  # press conference
    ((186, 206, 222), (96, 124, 72), (66, 96, 52)),  # sky over trees
    ((92, 118, 70), (70, 92, 52), (140, 162, 96)),  # garden
    ((140, 40, 40), (104, 28, 32), (170, 84, 70)),  # curtain
    ((156, 158, 160), (110, 108, 108), (206, 204, 196)),  # street
)

CLOTHES = (  # outside, in the collar's opening, tie
    ((42, 44, 54), (226, 228, 232), (136, 30, 38)),  # suit, red tie
    ((34, 40, 66), (206, 216, 230), (48, 62, 116)),  # blue suit, blue tie
    ((74, 74, 78), (224, 222, 220), (60, 58, 60)),  # grey suit
    ((212, 214, 218), (212, 214, 218), (212, 214, 218)),  # white shirt
    ((152, 38, 44), (152, 38, 44), (152, 38, 44)),  # red
    ((52, 84, 140), (52, 84, 140), (52, 84, 140)),  # blue
    ((30, 30, 32), (30, 30, 32), (30, 30, 32)),  # black
    ((72, 106, 74), (228, 226, 216), (228, 226, 216)),  # green over white
    ((182, 150, 104), (92, 74, 60), (92, 74, 60)),  # camel
    ((196, 120, 140), (196, 120, 140), (196, 120, 140)),  # pink
)

SKINS = (  # skin, lips; from light to dark
    ((244, 214, 194), (206, 128, 124)),
    ((236, 196, 168), (196, 112, 106)),
    ((226, 180, 146), (186, 104, 94)),
    ((212, 160, 122), (170, 96, 84)),
    ((192, 138, 100), (154, 86, 76)),
    ((164, 112, 78), (136, 78, 68)),
    ((134, 90, 62), (118, 68, 60)),
    ((106, 70, 50), (100, 58, 52)),
    ((78, 52, 40), (82, 48, 46)),
)

DARK_HAIRS, DARK_IRISES = 4, 2  # number of rows of each that dark skin is combined with

HAIRS = (  # the dark ones and grey first
    ((26, 22, 22),),  # black
    ((48, 34, 26),),  # dark brown
    ((34, 28, 26),),  # nearly black
    ((146, 144, 142),),  # grey
    ((86, 58, 38),),  # brown
    ((120, 86, 54),),  # light brown
    ((196, 158, 98),),  # blond
    ((222, 194, 142),),  # pale blond
    ((150, 72, 36),),  # red
    ((206, 204, 200),),  # white
)

IRISES = (  # the brown ones first
    ((56, 36, 24),),
    ((84, 54, 32),),
    ((104, 128, 152),),
    ((92, 116, 84),),
    ((116, 122, 124),),
)

FRAMES = (((30, 28, 28),), ((120, 92, 60),), ((150, 150, 154),))

EYE_WHITE = (228.0, 224.0, 218.0)

TEETH = (234.0, 228.0, 212.0)

LIGHTS = (  # the colour of white
    ((255, 252, 246),),
    ((255, 240, 216),),  # bulbs
    ((255, 228, 190),),  # warm bulbs
    ((232, 242, 255),),  # shade outdoors
    ((244, 255, 240),),  # fluorescent tubes
)


def draw_faces(count: int, size: int = 80, seed: int = 0) -> Tensor:
    """Draw portraits: head and shoulders in front of a blurred background.

    Image i depends only on the seed, i and the size, so a larger set starts with the smaller one. Other sizes
    show the same people, except for the noise. The global random state is neither used nor changed.

    Args:
        count: Number of images, at least 1.
        size: Height and width of the images in pixels, at least 8.
        seed: Seed of the images.

    Returns:
        RGB images, uint8 [count, 3, size, size] in [0, 255].

    Raises:
        ImgcolorError: If ``count`` or ``size`` is too small.
    """
    return draw("draw_faces", _portraits, count, size, seed, chunk=16)


def _portraits(canvas: Canvas, dice: Dice, grain: torch.Generator) -> Tensor:
    """Draw one chunk of faces: uint8 [N, 3, H, W]."""
    noise = torch.rand(dice.images, 1, canvas.size, canvas.size, generator=grain) - 0.5
    person = _Person.random(dice)
    pose = _Pose.random(canvas, dice)
    image = _backdrop(canvas, dice)
    _behind(dice, image, person, pose)
    _shoulders(dice, image, person, pose)
    _head(dice, image, person, pose)
    _features(dice, image, person, pose)
    _haircut(dice, image, person, pose, noise)
    light = columns(LIGHTS, dice.row(LIGHTS))[0] / 255 * dice.between(0.85, 1.1)
    return image.mul_(light).add_(noise, alpha=8).clamp_(0, 255).round_().to(torch.uint8)


class _Person(NamedTuple):
    """Colours of a person [N, 3, 1, 1], and whether the hair is long or the head bald: 1 or 0, [N, 1, 1, 1]."""

    skin: Tensor
    lips: Tensor
    hair: Tensor
    iris: Tensor
    long: Tensor
    bald: Tensor

    @classmethod
    def random(cls, dice: Dice) -> "_Person":
        """Choose people at random; dark skin is combined with dark or grey hair and brown eyes."""
        complexion = dice.row(SKINS)
        skin, lips = (dice.tinted(colour) for colour in columns(SKINS, complexion))
        dark = complexion >= len(SKINS) // 2
        hair, iris = dice.row(HAIRS), dice.row(IRISES)
        hair, iris = torch.where(dark, hair % DARK_HAIRS, hair), torch.where(dark, iris % DARK_IRISES, iris)
        long = dice.chance(0.4)
        return cls(
            skin,
            lips,
            dice.tinted(columns(HAIRS, hair)[0]),
            columns(IRISES, iris)[0],
            long,
            dice.chance(0.18) * (1 - long),
        )


class _Pose(NamedTuple):
    """Coordinates of the head: u to the right, v down, with the crown at v = -0.5 and the chin at v = 0.5.

    Attributes:
        u: [N, 1, H, W].
        v: [N, 1, H, W].
        face: u relative to the middle of the face, which moves if the head turns, [N, 1, H, W].
        mirrored: The absolute value of ``face``, for what both sides have, [N, 1, H, W].
        pixel: Width of a pixel, [N, 1, 1, 1].
        height: Height of the head relative to the image, [N, 1, 1, 1].
        lamp: Direction of the light, from -1 (left) to 1 (right), [N, 1, 1, 1].
    """

    u: Tensor
    v: Tensor
    face: Tensor
    mirrored: Tensor
    pixel: Tensor
    height: Tensor
    lamp: Tensor

    @classmethod
    def random(cls, canvas: Canvas, dice: Dice) -> "_Pose":
        """Choose position, size, tilt and turn of the heads at random."""
        height = dice.between(0.58, 0.95)
        tilt, turn = dice.between(-0.16, 0.16), dice.between(-0.06, 0.06)
        across = (canvas.x - dice.between(0.44, 0.56)) / height
        down = (canvas.y - dice.between(0.44, 0.53)) / height
        u = across * tilt.cos() + down * tilt.sin()
        v = down * tilt.cos() - across * tilt.sin()
        face = u - turn
        return cls(u, v, face, face.abs(), 1 / (height * canvas.size), height, dice.between(-1, 1))

    def cover(self, distance: Tensor) -> Tensor:
        """Return the fraction of each pixel that a shape covers, from the distance to its edge."""
        return (0.5 - distance / self.pixel).clamp_(0, 1)


def _backdrop(canvas: Canvas, dice: Dice) -> Tensor:
    """Draw the background: one colour above, one below, and two blurred blobs of a third."""
    top, low, spot = (dice.tinted(colour) for colour in columns(ROOMS, dice.row(ROOMS)))
    edge = dice.between(0.3, 0.8)
    image = torch.lerp(top, low, ((canvas.y - edge) / dice.between(0.15, 0.8) + 0.5).clamp(0, 1))
    image = image.repeat(1, 1, 1, canvas.size)
    for side in (0.0, 0.6):
        across = (canvas.x - dice.between(side, side + 0.4)) / dice.between(0.1, 0.35)
        down = (canvas.y - dice.between(0, 0.9)) / dice.between(0.15, 0.6)
        image.lerp_(spot, (1.2 - across.square() - down.square()).clamp_(0, 1) * dice.chance(0.6))
    return image


def _behind(dice: Dice, image: Tensor, person: _Person, pose: _Pose) -> None:
    """Draw long hair behind the neck."""
    length = dice.between(0.5, 0.95)
    wide = dice.between(0.41, 0.5)
    fall = torch.where(pose.v < 0, pose.v / 0.54, pose.v / length)
    distance = oval(pose.u, fall, wide, 1.0)
    image.lerp_(person.hair * (0.8 + 0.3 * pose.lamp * pose.u), pose.cover(distance) * person.long)


def _shoulders(dice: Dice, image: Tensor, person: _Person, pose: _Pose) -> None:
    """Draw clothes, collar and neck."""
    outer, inner, tie = (dice.tinted(colour) for colour in columns(CLOTHES, dice.row(CLOTHES)))
    u, v = pose.u, pose.v
    slope = (u.abs() - 0.2).clamp_(min=0) * dice.between(0.25, 0.55)
    top = 0.6 - v + slope
    body = torch.maximum(top, u.abs() - dice.between(0.8, 1.0))
    lit = outer * (1 + 0.25 * pose.lamp * u)
    image.lerp_(lit, pose.cover(body))
    opening = torch.maximum(top, u.abs() - (1.15 - v) * 0.42)
    image.lerp_(inner, pose.cover(opening))
    image.lerp_(tie, pose.cover(torch.maximum(top + 0.06, u.abs() - 0.06)))
    thick = dice.between(0.19, 0.25)
    neck = union(
        torch.maximum(u.abs() - thick, (v - 0.4).abs() - 0.2),
        oval(u, v - 0.4, thick, dice.between(0.28, 0.36)),  # a round end in the collar
    )
    shade = (0.58 + 0.9 * (v - 0.5)).clamp(0.5, 0.85) + 0.4 * pose.lamp * u
    image.lerp_(person.skin * shade, pose.cover(neck))


def _head(dice: Dice, image: Tensor, person: _Person, pose: _Pose) -> None:
    """Draw ears and head, lit from one side, darker towards the edge, redder on the cheeks."""
    u, v = pose.u, pose.v
    wide = dice.between(0.35, 0.4)
    narrowing = 1 - dice.between(0.2, 0.45) * v.clamp(min=0)
    ears = oval(u.abs() - wide * 0.98, v - 0.04, 0.05, 0.1)
    image.lerp_(person.skin * (0.78 + 0.5 * pose.lamp * u), pose.cover(ears) * (1 - person.long))
    across = u / (wide * narrowing)
    away = across.square() + (v / 0.5).square()  # 1 at the edge
    light = 1.04 + 0.24 * pose.lamp * across - 0.2 * away.square().clamp(max=1)
    skin = person.skin * light
    cheeks = (1 - ((pose.mirrored - 0.19) / 0.13).square() - ((v - 0.16) / 0.12).square()).clamp_(0, 1)
    skin.lerp_(person.lips * light, cheeks * dice.between(0, 0.35))
    image.lerp_(skin, pose.cover((away.sqrt() - 1) * 0.4))


def _features(dice: Dice, image: Tensor, person: _Person, pose: _Pose) -> None:
    """Draw eyes, brows, nose and mouth, and beard or glasses in some images."""
    face, side, v = pose.face, pose.mirrored, pose.v

    def soft(u0: Tensor, v0: Tensor, wide: float, high: float) -> Tensor:
        return (1 - (u0 / wide).square() - (v0 / high).square()).clamp_(0, 1)

    # Shades: eye sockets, one side of the nose, below the nose, above the chin.
    eyes = 0.15
    flank = face + pose.lamp.sign() * 0.045
    shade = soft(side - eyes + 0.02, v + 0.015, 0.13, 0.09) * 0.35
    shade = shade + soft(flank, v - 0.09, 0.04, 0.13) * 0.28 + soft(face, v - 0.2, 0.09, 0.03) * 0.3
    shade = (
        shade + soft(side - 0.035, v - 0.185, 0.022, 0.016) * 0.45 + soft(face, v - 0.375, 0.1, 0.035) * 0.2
    )
    glow = (
        soft(face - pose.lamp.sign() * 0.012, v - 0.1, 0.035, 0.11) * 0.14
        + soft(face, v + 0.22, 0.2, 0.13) * 0.08
    )
    image.mul_(1 - shade + glow)

    # Mouth: the corners rise with a smile, and the lips can be open.
    smile, parted = dice.between(-0.2, 1.2), dice.between(-0.05, 0.045).clamp(min=0)
    wide = 0.11 + 0.03 * smile
    mouth = v - 0.29 + smile * (side / 0.14).clamp(max=1).square() * 0.025
    beard = dice.chance(0.25) * (1 - person.long) * dice.between(0.3, 0.9)
    jaw = ((oval(face, v + 0.02, 0.27, 0.24) - 0.01) / 0.05).clamp_(0, 1) * ((v - 0.04) / 0.12).clamp_(0, 1)
    on_face = pose.cover(oval(pose.u, v - 0.08, 0.34, 0.42))
    image.lerp_(person.hair * 0.8, jaw * on_face * beard)
    lips = person.lips * dice.between(0.85, 1.1)
    image.lerp_(lips, pose.cover(oval(face, mouth, wide, 0.03 + parted)))
    image.lerp_(lips * 0.45, pose.cover(oval(face, mouth, wide * 0.9, 0.008 + parted)))
    teeth = oval(face, mouth + 0.006, wide * 0.8, (parted - 0.005).clamp(min=1e-3))
    image.lerp_(torch.tensor(TEETH).view(1, 3, 1, 1), pose.cover(teeth) * (parted > 0.012))

    # Eyes: lid, white, iris and pupil.
    lids = dice.between(0.02, 0.034)
    gaze = dice.between(-0.02, 0.02) * face.sign()
    image.lerp_(person.skin * 0.35, pose.cover(oval(side - eyes, v + 0.008, 0.07, lids + 0.006)))
    white = pose.cover(oval(side - eyes, v, 0.064, lids))
    image.lerp_(torch.tensor(EYE_WHITE).view(1, 3, 1, 1), white)
    centre = (side - eyes - gaze).square() + (v + 0.004).square()
    image.lerp_(person.iris, pose.cover(centre.sqrt() - 0.03) * white)
    image.lerp_(person.iris * 0.15, pose.cover(centre.sqrt() - 0.014) * white)

    away = side - eyes - 0.01
    brow = v + dice.between(0.08, 0.105) + away * dice.between(-0.12, 0.2) - away.square() * 2.5
    thick = dice.between(0.012, 0.024) - 0.006 * person.long
    image.lerp_(person.hair * 0.65, pose.cover(oval(away, brow, 0.085, thick)) * 0.85)

    rim = oval(side - eyes, v - 0.01, 0.105, 0.075).abs()
    bridge = torch.maximum(side - 0.05, (v + 0.015).abs())
    glasses = pose.cover(torch.minimum(rim, bridge) - 0.007) * dice.chance(0.15)
    image.lerp_(columns(FRAMES, dice.row(FRAMES))[0], glasses * 0.85)


def _haircut(dice: Dice, image: Tensor, person: _Person, pose: _Pose, noise: Tensor) -> None:
    """Draw the hair: a cap around the face, longer for long hair, only at the sides for a bald head."""
    u, v = pose.u, pose.v
    outside = oval(u, v + 0.06, dice.between(0.385, 0.44), dice.between(0.46, 0.53))
    parting = dice.between(-0.1, 0.1)
    brow = dice.between(0.34, 0.45) + 0.5 * person.bald  # height of the bare forehead
    wide = dice.between(0.31, 0.345)
    bare = oval(
        u - parting * (-v).clamp(min=0) * 2,
        torch.where(v < 0.06, (v - 0.06) / brow, (v - 0.06) / 0.9),
        wide,
        1.0,
    )
    end = dice.between(-0.02, 0.1) + person.long * 0.5
    ends = ((end - v) / 0.08 + 0.5).clamp_(0, 1)
    strands = torch.sin(u * dice.between(30, 60) + v * dice.between(-20, 20)) * 0.1 + noise * 0.15
    shine = (1 - ((u - pose.lamp * 0.2) / 0.25).square() - ((v + 0.38) / 0.12).square()).clamp_(0, 1)
    colour = person.hair * (0.9 + strands + 0.35 * pose.lamp * u + 0.3 * shine)
    image.lerp_(colour, pose.cover(torch.maximum(outside, -bare)) * ends)
