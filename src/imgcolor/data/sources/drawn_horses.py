"""Drawn horses, for training without a download.

A scene is painted from back to front (sky, distance, field, shadow, horse) in relative coordinates, so a seed
shows the same scenes at each size. The colours overlap in brightness on purpose: a pale sky, sand and a grey
coat have the same grey, so a network has to recognise the object to colour it.
"""

from itertools import pairwise

import torch
from torch import Tensor

from imgcolor.data.sources.drawing import Canvas, Dice, columns, draw, paint, union

# Colours are RGB in [0, 255]. A row is one kind of sky, field and so on.
SKIES = (  # at the top, at the horizon, colour of the light
    ((96, 136, 184), (190, 206, 218), (255, 253, 246)),  # clear
    ((74, 106, 152), (146, 172, 196), (255, 252, 244)),  # deep blue
    ((144, 170, 194), (222, 225, 222), (252, 252, 250)),  # hazy
    ((186, 189, 193), (224, 224, 221), (238, 241, 246)),  # overcast
    ((134, 138, 145), (186, 186, 186), (222, 228, 236)),  # before rain
    ((118, 118, 140), (222, 178, 140), (255, 236, 216)),  # evening
)

SUNNY = (1.0, 1.0, 0.7, 0.15, 0.0, 0.5)  # strength of the shadow for each sky

FIELDS = (  # far, near
    ((128, 146, 92), (98, 124, 64)),  # meadow
    ((98, 116, 76), (68, 92, 50)),  # deep grass
    ((150, 156, 100), (126, 136, 72)),  # pasture in late summer
    ((182, 166, 124), (158, 138, 96)),  # hay
    ((146, 124, 98), (120, 98, 74)),  # bare earth
    ((204, 188, 162), (186, 168, 140)),  # sand
)

TREES = ((52, 74, 46), (78, 96, 58), (104, 88, 56))

HILLS = ((104, 122, 136), (130, 142, 128))

COATS = (  # body, mane and tail, lower legs
    ((118, 76, 52), (34, 28, 26), (40, 32, 28)),  # bay
    ((92, 60, 42), (28, 24, 24), (32, 27, 26)),  # dark bay
    ((146, 90, 60), (130, 78, 50), (134, 82, 56)),  # chestnut
    ((154, 98, 64), (188, 152, 114), (214, 202, 190)),  # flaxen chestnut with white socks
    ((46, 42, 42), (26, 24, 26), (34, 32, 33)),  # black
    ((156, 154, 152), (104, 102, 104), (108, 106, 106)),  # grey
    ((222, 218, 210), (232, 228, 220), (198, 192, 184)),  # white
    ((198, 162, 114), (234, 222, 196), (210, 176, 128)),  # palomino
)


def draw_horses(count: int, size: int = 32, seed: int = 0) -> Tensor:
    """Draw horses in fields.

    Image i depends only on the seed, i and the size, so a larger set starts with the smaller one. Other sizes
    show the same scenes, except for the noise. The global random state is neither used nor changed.

    Args:
        count: Number of images, at least 1.
        size: Height and width of the images in pixels, at least 8.
        seed: Seed of the images.

    Returns:
        RGB images, uint8 [count, 3, size, size] in [0, 255].

    Raises:
        ImgcolorError: If ``count`` or ``size`` is too small.
    """
    return draw("draw_horses", _scenes, count, size, seed, chunk=64)


def _scenes(canvas: Canvas, dice: Dice, grain: torch.Generator) -> Tensor:
    """Draw one chunk of images: uint8 [N, 3, H, W]."""
    weather = dice.row(SKIES)
    horizon = dice.between(0.22, 0.58)
    noise = torch.rand(dice.images, 1, canvas.size, canvas.size, generator=grain) - 0.5
    image = _sky(canvas, dice, weather, horizon)
    image = _distance(canvas, dice, image, horizon, noise)
    image = _field(canvas, dice, image, horizon, noise)
    image = _horse(canvas, dice, image, torch.tensor(SUNNY)[weather].view(-1, 1, 1, 1))
    light = columns(SKIES, weather)[2] / 255 * dice.between(0.8, 1.12)
    across = 1 + (canvas.x - 0.5) * dice.between(-0.2, 0.2)  # one side is a little brighter
    return image.mul_(light).mul_(across).add_(noise, alpha=6).clamp_(0, 255).round_().to(torch.uint8)


def _sky(canvas: Canvas, dice: Dice, weather: Tensor, horizon: Tensor) -> Tensor:
    """Draw the sky, paler towards the horizon, with a cloud in some images."""
    top, low, _ = (dice.tinted(colour) for colour in columns(SKIES, weather))
    sky = torch.lerp(top, low, (canvas.y / horizon).clamp(0, 1))
    across = (canvas.x - dice.between(0, 1)) / dice.between(0.2, 0.5)
    down = (canvas.y - horizon * dice.between(0.2, 0.8)) / dice.between(0.05, 0.12)
    cloud = (1 - across.square() - down.square()).clamp_(0, 1) * dice.chance(0.4)
    return paint(sky, low * 0.5 + 118, cloud * 0.8)


def _distance(canvas: Canvas, dice: Dice, image: Tensor, horizon: Tensor, noise: Tensor) -> Tensor:
    """Draw trees or hills along the horizon in most images, as sums of two waves."""
    kind = dice.row(TREES + HILLS)
    hills = (kind >= len(TREES)).float().view(-1, 1, 1, 1)
    pace = torch.lerp(dice.between(16, 30), dice.between(4, 8), hills)
    waves = torch.sin(canvas.x * pace + dice.between(0, 6))
    waves = waves + torch.sin(canvas.x * pace * 1.7 + dice.between(0, 6))
    height = dice.between(0.04, 0.2) * (1 + 0.2 * waves) * dice.chance(0.7)
    colour = dice.tinted(torch.tensor(TREES + HILLS)[kind].view(-1, 3, 1, 1)) * (
        1 + 0.3 * noise * (1 - hills)
    )
    return paint(image, colour, canvas.cover(horizon - height - canvas.y))


def _field(canvas: Canvas, dice: Dice, image: Tensor, horizon: Tensor, noise: Tensor) -> Tensor:
    """Draw the ground in uneven patches, with noise that grows towards the viewer."""
    far, near = (dice.tinted(colour) for colour in columns(FIELDS, dice.row(FIELDS)))
    nearness = (canvas.y - horizon) / (1 - horizon)
    ground = torch.lerp(far, near, nearness.clamp(0, 1))
    patches = torch.sin(canvas.x * dice.between(3, 12) + canvas.y * dice.between(10, 40) + dice.between(0, 6))
    texture = 1 + patches * dice.between(0, 0.07) + noise * nearness * dice.between(0.1, 0.35)
    return paint(image, ground * texture, canvas.cover(horizon - canvas.y))


def _horse(canvas: Canvas, dice: Dice, image: Tensor, sunny: Tensor) -> Tensor:
    """Draw the horse and its shadow.

    The coordinates of the horse are u, in the direction in which it looks, and v, the height above its
    hooves. The unit is the height of the horse.
    """
    height = dice.between(0.42, 0.62)
    hooves = dice.between(0.8, 0.96)
    facing = dice.chance(0.5) * 2 - 1
    middle = 0.14  # between nose and tail
    u = (canvas.x - dice.between(0.42, 0.58)) * facing / height + middle
    v = (hooves - canvas.y) / height

    def limb(*joints: tuple[Tensor | float, Tensor | float, float]) -> Tensor:
        """Return the distance to tapered capsules between points (u, v, radius); negative inside."""
        distances = []
        for (u0, v0, thick), (u1, v1, thin) in pairwise(joints):
            du, dv = u1 - u0, v1 - v0
            length = du * du + dv * dv
            along = ((u - u0) * (du / length) + (v - v0) * (dv / length)).clamp_(0, 1)
            away = (along * du).sub_(u - u0).square_().add_((along * dv).sub_(v - v0).square_())
            distances.append(away.sqrt_().add_(along, alpha=thick - thin).sub_(thick))
        return union(*distances)

    coat, hair, socks = (dice.tinted(colour) for colour in columns(COATS, dice.row(COATS)))
    lit = coat * (0.68 + 0.4 * ((v - 0.45) / 0.5).clamp(0, 1))  # the belly is in the shade
    legs = torch.lerp(socks, coat * 0.85, ((v - 0.25) / 0.2).clamp(0, 1))

    grazing = dice.chance(0.35) * 0.9 + dice.between(-0.1, 0.15)  # 0: head up, 1: head down
    poll_u, poll_v = 0.60 + 0.16 * grazing, 1.22 - 0.76 * grazing  # where neck and head meet
    ear_u, ear_v = poll_u + 0.13 * grazing, poll_v + 0.14 - 0.1 * grazing
    nose_u, nose_v = poll_u + 0.26 - 0.2 * grazing, poll_v - 0.17 - 0.17 * grazing
    step, other = dice.between(-0.12, 0.12), dice.between(-0.12, 0.12)
    swish = dice.between(-0.02, 0.14)

    far_legs = union(
        limb((-0.34, 0.6, 0.1), (-0.40 - step, 0.32, 0.055), (-0.34 - step, 0.03, 0.045)),
        limb((0.30, 0.6, 0.1), (0.33 - other, 0.32, 0.05), (0.32 - other, 0.03, 0.045)),
    )
    near_legs = union(
        limb((-0.37, 0.64, 0.15), (-0.46 + step, 0.34, 0.065), (-0.40 + step, 0.03, 0.05)),
        limb((0.34, 0.64, 0.12), (0.36 + other, 0.34, 0.06), (0.35 + other, 0.03, 0.05)),
    )
    body = union(
        limb((-0.32, 0.76, 0.21), (0.0, 0.72, 0.2), (0.32, 0.77, 0.2)),
        limb((0.34, 0.84, 0.16), (poll_u, poll_v, 0.09)),
        limb((poll_u, poll_v, 0.095), (nose_u, nose_v, 0.055)),
        limb((poll_u, poll_v, 0.05), (ear_u, ear_v, 0.02)),
    )
    mane = limb((0.22, 0.99, 0.04), (poll_u - 0.07 + 0.12 * grazing, poll_v + 0.06, 0.05))
    tail = limb((-0.50, 0.86, 0.045), (-0.60 - swish, 0.64, 0.07), (-0.60 - swish, 0.32, 0.035))

    shadow = (1 - (u / 0.7).square() - ((v + 0.01) / 0.12).square()).clamp_(0, 1) * sunny * 0.6
    image = image * (1 - shadow)
    for colour, shape in ((legs * 0.7, far_legs), (hair, tail), (legs, near_legs), (lit, body), (hair, mane)):
        image = paint(image, colour, canvas.cover(shape * height))
    return image
