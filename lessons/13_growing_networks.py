# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   tlcourse:
#     title: {en: Growing networks, pl: "Sieci, które rosną"}
#     minutes: 60
#     seconds: 45
#     prerequisites: ["02_fine_tuning"]
# ---

# %% [markdown] lang="en"
# # Growing networks
#
# The robot's network is good, but too small for what comes next. Must the larger one start from scratch? No: a network can be made wider, deeper, or given larger kernels without changing a single one of its answers, and go on learning from there.
#
# **After this lesson you will be able to**
#
# - widen a layer so that the outputs stay the same, and prove that they do,
# - insert a layer that does nothing yet, behind any activation and behind batch normalisation,
# - write the morphism equation and say when it has a solution,
# - measure what a head start is worth, and count fairly what it cost,
# - say when growing does not help, and why two perfect copies are worth no more than one.
#
# **You need**: [lesson 02](02_fine_tuning.ipynb), convolutions and batch normalisation. **Time**: about an hour; the code runs in
# under a minute. New words are explained in the glossary of [lesson 00](00_start.ipynb).
# %% [markdown] lang="pl"
# # Sieci, które rosną
#
# Sieć robota jest dobra, ale za mała na to, co go jeszcze czeka. Czy większa musi zaczynać od zera? Nie: sieć można poszerzyć, pogłębić albo dać jej większe filtry i nie zmienić przy tym ani jednej jej odpowiedzi, a potem uczyć ją dalej.
#
# **Po tej lekcji będziesz umieć**
#
# - poszerzyć warstwę tak, żeby wyjścia sieci się nie zmieniły, i udowodnić, że się nie zmieniają,
# - wstawić warstwę, która na razie nic nie robi, za dowolną funkcją aktywacji i za normalizacją wsadową,
# - zapisać równanie morfizmu i powiedzieć, kiedy ma rozwiązanie,
# - zmierzyć, ile daje lepszy start, i uczciwie policzyć, ile kosztował,
# - powiedzieć, kiedy powiększanie nie pomaga i dlaczego dwie idealne kopie nie są warte więcej niż jedna.
#
# **Co trzeba umieć**: [lekcja 02](02_fine_tuning.ipynb), sploty i normalizacja wsadowa (ang. *batch normalization*). **Czas**: około godziny; kod wykonuje się
# niecałą minutę. Nowe słowa wyjaśnia słowniczek w [lekcji 00](00_start.ipynb).

# %% tags=["setup"]
from tlcourse.classroom import start_lesson, t

start_lesson("13_growing_networks", lang="en")

# %% tags=["imports"]
import copy
import math
from collections import OrderedDict
from itertools import product

import ipywidgets as widgets
import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from tlcourse.classroom import (
    Prediction, Quiz, band, check, claim, explore, palette, quiz, recorded, show, show_source, table,
)
from tlcourse.data.digits import load_mnist
from tlcourse.modularized import is_simple, morph_module
from tlcourse.net2net import copy_incoming, deepen, function_distance, random_mapping, split_outgoing, widen
from tlcourse.network_morphism import ParametricActivation, compose, morph_depth, morph_kernel, solve_morphism
from tlcourse.runtime import seed_everything

SEED = 0

# %% [markdown] lang="en"
# ## The idea
#
# A bakery with one baker hires a second. Customers should not notice: on the first day the newcomer hears every order that the old hand hears and works exactly alike, and of each order both bake half. From the second day on the two may specialise, one in bread, one in cake, and soon the bakery does what one baker alone never could. It would be foolish to close the shop and to train two beginners instead.
#
# A network can grow in the same way. **Net2Net** (Chen et al. 2016, [arXiv 1511.05641](https://arxiv.org/abs/1511.05641)) copies units and shares out what they say (*wider*), or inserts layers that pass everything on (*deeper*). **Network morphism** (Wei et al. 2016, [arXiv 1603.01670](https://arxiv.org/abs/1603.01670)) splits one layer into two by solving an equation. Both are **function-preserving transformations**: at the moment of growth the large network computes what the small one computed. What it has *learned* is carried over completely; only the room for more is new.
#
# We let a network for handwritten digits grow. Here it is, with names for its layers, and 4,000 of MNIST's digits to learn from; 1,000 others tell how good it is.
# %% [markdown] lang="pl"
# ## Pomysł
#
# Piekarnia z jednym piekarzem zatrudnia drugiego. Klienci nie powinni tego zauważyć: pierwszego dnia nowy słyszy każde zamówienie tak samo jak dotychczasowy, pracuje dokładnie tak jak on i każdy piecze połowę zamówienia. Od drugiego dnia mogą się specjalizować, jeden w chlebie, drugi w ciastach, i wkrótce piekarnia robi coś, czego jeden piekarz nigdy by nie zrobił. Niemądrze byłoby zamknąć piekarnię i zamiast tego wyszkolić od podstaw dwóch nowicjuszy.
#
# Sieć może rosnąć tak samo. **Net2Net** (Chen i in. 2016, [arXiv 1511.05641](https://arxiv.org/abs/1511.05641)) kopiuje neurony i rozdziela między kopie to, co oryginał przekazywał dalej (*szersza* sieć), albo wstawia warstwy, które wszystko przepuszczają (*głębsza*). **Morfizm sieci** (ang. *network morphism*; Wei i in. 2016, [arXiv 1603.01670](https://arxiv.org/abs/1603.01670)) dzieli jedną warstwę na dwie, rozwiązując pewne równanie. Jedno i drugie to **przekształcenia zachowujące funkcję** (ang. *function-preserving transformations*): w chwili powiększenia duża sieć liczy to samo co mała. To, czego mała się *nauczyła*, przechodzi w całości; nowe jest tylko miejsce na więcej.
#
# Będzie u nas rosła sieć do cyfr pisanych ręcznie. Oto ona, z nazwanymi warstwami, oraz 4000 cyfr z MNIST, na których się uczy; na 1000 innych sprawdzamy, jak dobra jest.

# %%
def digit_net(channels=8, dense=32, activation=nn.ReLU):
    return nn.Sequential(OrderedDict(
        conv1=nn.Conv2d(1, channels, 5, stride=2, padding=2), norm1=nn.BatchNorm2d(channels), act1=activation(),
        conv2=nn.Conv2d(channels, 2 * channels, 3, stride=2, padding=1), norm2=nn.BatchNorm2d(2 * channels), act2=activation(),
        flatten=nn.Flatten(), dense=nn.Linear(2 * channels * 49, dense), act3=activation(), head=nn.Linear(dense, 10)))


(images, labels), order = load_mnist(), torch.randperm(5000, generator=torch.Generator().manual_seed(SEED))
train, test = ((images[part].float() / 255, labels[part]) for part in order.split([4000, 1000]))

# %% [markdown] lang="en"
# ## The mathematics
#
# ### Wider
#
# A layer with the weights $W$ and bias $b$ feeds the next one with the weights $V$: $y = V h$, $h = \varphi(W x + b)$, where $\varphi$ is the activation. Its units are the rows of $W$ and the columns of $V$; $i$ and $j$ number units, $o$ numbers the outputs of the next layer. We want more units. Let $g$ say which old unit each new unit copies: $g(j) = j$ for the old ones, any old unit for each of the rest. Then
#
# $$W'_{j} = W_{g(j)}, \qquad b'_j = b_{g(j)}, \qquad V'_{oj} = \frac{V_{o g(j)}}{c_{g(j)}}, \qquad c_i = \#\{k : g(k) = i\} .$$
#
# A copy hears what the original hears, so $h'_j = h_{g(j)}$, and all $c_i$ copies of unit $i$ together say what it said alone:
#
# $$\sum_j V'_{oj} h'_j = \sum_i \sum_{j : g(j) = i} \frac{V_{oi}}{c_i} h_i = \sum_i V_{oi} h_i .$$
#
# That holds for *any* activation. A convolution's units are its channels. Batch normalisation is copied along, its running averages too. Where two layers' outputs are added, as in a residual network, both must grow by the same $g$.
#
# Check it by hand: two units with the outputs $h = (3, 2)$ and the outgoing weights 6 and 5. Unit 0 gets a copy: its weight 6 becomes 3 and 3, and the answer stays $3 \cdot 3 + 5 \cdot 2 + 3 \cdot 3 = 6 \cdot 3 + 5 \cdot 2 = 28$. In the package this takes two functions of a few lines; the rest of `widen` finds the layers that must change together. (Behind `Flatten` each channel of `conv2` feeds 49 columns of `dense`; `unflatten` keeps those together.)
# %% [markdown] lang="pl"
# ## Matematyka
#
# ### Szerzej
#
# Warstwa o wagach $W$ i wyrazie wolnym $b$ zasila następną, o wagach $V$: $y = V h$, $h = \varphi(W x + b)$, gdzie $\varphi$ to funkcja aktywacji. Jej neurony to wiersze $W$ i kolumny $V$; $i$ oraz $j$ numerują neurony, a $o$ wyjścia następnej warstwy. Chcemy mieć ich więcej. Niech $g$ mówi, który stary neuron kopiuje każdy nowy: $g(j) = j$ dla starych, a dla każdego z pozostałych dowolny stary. Wtedy
#
# $$W'_{j} = W_{g(j)}, \qquad b'_j = b_{g(j)}, \qquad V'_{oj} = \frac{V_{o g(j)}}{c_{g(j)}}, \qquad c_i = \#\{k : g(k) = i\} .$$
#
# Kopia słyszy to samo co oryginał, więc $h'_j = h_{g(j)}$, a wszystkie $c_i$ kopii neuronu $i$ mówią razem to, co on mówił sam:
#
# $$\sum_j V'_{oj} h'_j = \sum_i \sum_{j : g(j) = i} \frac{V_{oi}}{c_i} h_i = \sum_i V_{oi} h_i .$$
#
# Jest tak dla *każdej* funkcji aktywacji. Neuronami splotu są jego kanały. Normalizację wsadową kopiuje się razem z nimi, ze średnimi kroczącymi włącznie. Tam, gdzie wyjścia dwóch warstw się dodaje, jak w sieci z połączeniami rezydualnymi (ang. *residual connections*), obie muszą rosnąć według tego samego $g$.
#
# Sprawdź ręcznie: dwa neurony o wyjściach $h = (3, 2)$ i wagach wyjściowych 6 i 5. Neuron 0 dostaje kopię: jego waga 6 rozpada się na 3 i 3, a odpowiedzią pozostaje $3 \cdot 3 + 5 \cdot 2 + 3 \cdot 3 = 6 \cdot 3 + 5 \cdot 2 = 28$. W pakiecie to dwie funkcje po parę wierszy; reszta `widen` szuka warstw, które muszą zmienić się razem. (Za `Flatten` każdy kanał `conv2` zasila 49 kolumn `dense`; `unflatten` trzyma je razem.)

# %%
mapping = torch.tensor([0, 1, 0])
W, V, x = torch.tensor([[1.0, 2.0], [3.0, -1.0]]), torch.tensor([[6.0, 5.0]]), torch.tensor([1.0, 1.0])
wide_W, wide_V = copy_incoming(W, mapping), split_outgoing(V, mapping)
print(wide_W.tolist(), wide_V.tolist())
print(V @ (W @ x).relu(), wide_V @ (wide_W @ x).relu())
show_source(copy_incoming, split_outgoing)

# %% [markdown] lang="en"
# ### Deeper
#
# A new layer with the identity matrix passes everything on. But behind it comes an activation once more. So we need $\varphi(I \varphi(z)) = \varphi(z)$: the activation must be **idempotent**, doing it twice must be the same as doing it once. ReLU is: what has been cut off at 0 stays 0, and the rest is not changed. Tanh is not. In a convolution the identity is a kernel with a 1 in the middle, from each channel to itself, and zeros elsewhere.
#
# With batch normalisation behind the new layer, its scale and shift must undo the normalisation. Measure the mean $\mu$ and the variance $\sigma^2$ of the incoming values, store them as its running averages, and take the scale $\sqrt{\sigma^2 + \epsilon}$ and the shift $\mu$. In evaluation mode, which uses the stored averages, the two cancel, whatever $\mu$ and $\sigma^2$ are. In training mode every batch is normalised by its *own* mean and variance, so they should be measured on real data.
#
# ### One layer becomes two
#
# Network morphism asks more generally: which two layers do the work of one? Two convolutions with nothing between them are one convolution, whose kernel is *composed* of theirs. With the old kernel $G$, padded with zeros to $\tilde G$ so that it has the composed one's size:
#
# $$\tilde G = F_2 \circledast F_1, \qquad \tilde G_{oi} = \sum_m F_{2,om} * F_{1,mi} .$$
#
# Here $o$, $i$ and $m$ number the channels of the output, the input and the middle, and $*$ is the convolution of two kernels. This is the **morphism equation**. It is linear in $F_2$ if $F_1$ is given, and the other way round: so draw $F_1$ at random and solve for $F_2$ by least squares. If one of the two has at least as many weights as $\tilde G$, draw the other at random and solve for this one: one solve suffices, rare exceptions apart. If both have fewer, they must be solved for in turns, and the *residual* $\lVert \tilde G - F_2 \circledast F_1 \rVert / \lVert G \rVert$, what has not been reproduced yet, falls slowly or stays. (For linear layers it reads $G = F_2 F_1$: any factorisation of a matrix.)
#
# Between the two comes an activation that is the identity at first and then learns not to be, the **parametric activation**
#
# $$\varphi_a(x) = a x + (1 - a) \varphi(x), \qquad a = 1 \text{ at the start,}$$
#
# and this time $\varphi$ may be anything. (In PyTorch `conv_transpose2d` composes two kernels: each element of $F_2$ puts down a copy of $F_1$, moved to its own place, and the copies are added up.)
# %% [markdown] lang="pl"
# ### Głębiej
#
# Nowa warstwa z macierzą jednostkową wszystko przepuszcza. Ale za nią znów stoi funkcja aktywacji. Musi więc być $\varphi(I \varphi(z)) = \varphi(z)$: funkcja aktywacji ma być **idempotentna**, czyli dwukrotne jej zastosowanie ma dawać to samo co jednokrotne. ReLU taka jest: co już obcięła do zera, zostaje zerem, a reszty nie zmienia. Tangens hiperboliczny nie. W splocie tę samą rolę gra filtr, który łączy każdy kanał z nim samym jedynką pośrodku, a poza tym ma same zera.
#
# Jeśli za nową warstwą stoi normalizacja wsadowa, to jej skala i przesunięcie muszą cofnąć normalizację. Zmierz średnią $\mu$ i wariancję $\sigma^2$ wchodzących wartości, zapisz je jako jej średnie kroczące, a jako skalę i przesunięcie weź $\sqrt{\sigma^2 + \epsilon}$ oraz $\mu$. W trybie ewaluacji, który korzysta z zapamiętanych średnich, jedno znosi drugie, jakiekolwiek są $\mu$ i $\sigma^2$. W trybie treningu każdą paczkę (ang. *batch*) normalizuje jej *własna* średnia i wariancja, więc trzeba je zmierzyć na prawdziwych danych.
#
# ### Z jednej warstwy dwie
#
# Morfizm sieci pyta ogólniej: jakie dwie warstwy wykonają pracę jednej? Dwa sploty, między którymi nic nie stoi, są jednym splotem, a jego filtr jest *złożeniem* ich filtrów. Stary filtr $G$ otaczamy zerami, aż ma rozmiar złożenia, i nazywamy $\tilde G$:
#
# $$\tilde G = F_2 \circledast F_1, \qquad \tilde G_{oi} = \sum_m F_{2,om} * F_{1,mi} .$$
#
# Tutaj $o$, $i$ oraz $m$ numerują kanały wyjścia, wejścia i środka, a $*$ to splot dwóch filtrów. To jest **równanie morfizmu**. Przy danym $F_1$ jest liniowe względem $F_2$ i na odwrót: wystarczy więc wylosować $F_1$ i wyznaczyć $F_2$ metodą najmniejszych kwadratów. Jeśli któryś z nich ma co najmniej tyle wag co $\tilde G$, wylosuj drugi i wyznacz ten: wystarcza jeden krok, poza rzadkimi wyjątkami. Jeśli oba mają mniej, trzeba wyznaczać je na przemian, a *residuum* $\lVert \tilde G - F_2 \circledast F_1 \rVert / \lVert G \rVert$, czyli to, czego jeszcze nie udało się odtworzyć, maleje powoli albo przestaje maleć. (Dla warstw gęstych równanie brzmi $G = F_2 F_1$: to dowolny rozkład macierzy na czynniki.)
#
# Między obie warstwy wstawiamy funkcję aktywacji, która na początku jest identycznością, a potem może się od niej w treningu oddalać, czyli **aktywację parametryczną** (ang. *parametric activation*)
#
# $$\varphi_a(x) = a x + (1 - a) \varphi(x), \qquad a = 1 \text{ na początku,}$$
#
# i tym razem $\varphi$ może być dowolna. (W PyTorchu filtry składa `conv_transpose2d`: każdy element $F_2$ kładzie kopię $F_1$, przesuniętą na swoje miejsce, a kopie się dodaje.)

# %%
show_source(compose, ParametricActivation)

# %%
kernel = torch.randn(4, 4, 3, 3, generator=torch.Generator().manual_seed(SEED))
channels = (2, 4, 6, 8, 10, 12, 14)
left = [solve_morphism(kernel, middle, (3, 3), seed=SEED)[2] for middle in channels]
table([(middle, 4 * 9 * middle, f"{residual:.1e}") for middle, residual in zip(channels, left)],
      [t("channels between", "kanały pośrodku"), t("weights of each layer", "wagi każdej warstwy"), t("residual", "residuum")])

# %% [markdown] lang="en"
# Four channels in and out, kernels of 3 × 3: composed, two such kernels are 5 × 5, so $\tilde G$ has $4 \cdot 4 \cdot 25 = 400$ numbers. With 12 channels between, each layer has 432 weights, and the residual falls to rounding error. With fewer channels something is left after 20 rounds (a round solves for $F_2$, then for $F_1$). With 10 channels it is still shrinking, and more rounds would help.
#
# One trap: *padding*. Give each of the two convolutions its own zero padding, and along the border of the picture they differ from the old one: the values in between that lie just outside the picture, mostly not zero, are replaced by zeros. Our `morph_depth` pads only the input of the first, but as far as both need it.
#
# ### New channels, larger kernels
#
# Two morphisms need no equation. *Larger kernels*: put a border of zeros round the old kernel, and pad the picture by as much more. *Wider by a morphism*: instead of copies, give the layer new channels with random incoming weights and outgoing weights of zero. Nothing listens to them yet, so nothing changes. Unlike a copy, each computes something new from the start; and since its output is not zero, neither is the gradient of its outgoing weights, so training can begin to use it.
#
# ### Modules (for the curious)
#
# What splits once can split again, also sideways: one edge becomes two behind one another, or two side by side whose sum is the old one. Wei et al. (2017, [arXiv 1701.03281](https://arxiv.org/abs/1701.03281)) call everything that these two steps can build a **simple** module; a residual block is one (here with a convolution on its shortcut, so that the equation has enough unknowns). Others are **complex**, such as the bridge below. Every inner vertex has a parametric activation, the identity at first. So, for both, all paths from the input to the output must add up to the old kernel:
#
# $$\tilde G = \sum_{u} F_{u \to \text{out}} \circledast H_u, \qquad H_u \text{ the composed kernel of all paths from the input to } u .$$
#
# The sum runs over the edges into the output, and $H_{\text{in}}$ is the identity. Draw everything but these last edges at random, and the equation is linear in them. In the figure the edges carry their kernel sizes.
# %% [markdown] lang="pl"
# Cztery kanały na wejściu i na wyjściu, filtry 3 × 3: złożenie dwóch takich ma 5 × 5, więc $\tilde G$ to $4 \cdot 4 \cdot 25 = 400$ liczb. Przy 12 kanałach pośrodku każda warstwa ma 432 wagi i residuum spada do błędu zaokrągleń. Przy mniejszej liczbie kanałów po 20 rundach coś jeszcze zostaje (runda wyznacza najpierw $F_2$, potem $F_1$). Przy 10 kanałach residuum wciąż maleje i dalsze rundy by pomogły.
#
# Uwaga na pułapkę: *dopełnianie zerami* (ang. *padding*). Jeśli każdy z dwóch splotów dopełnia swoje wejście osobno, to na brzegu obrazu liczą one co innego niż stary: wartości pośrednie tuż za brzegiem obrazu, na ogół różne od zera, zostają zastąpione zerami. Nasze `morph_depth` dopełnia tylko wejście pierwszego splotu, za to od razu tak szeroko, jak potrzebują oba.
#
# ### Nowe kanały, większe filtry
#
# Dwa morfizmy obywają się bez równania. *Większe filtry*: stary filtr otaczamy zerami, a obraz dopełniamy o tyle samo szerzej. *Szersza przez morfizm*: zamiast kopii warstwa dostaje nowe kanały o losowych wagach wejściowych i wagach wyjściowych równych zeru. Nikt ich jeszcze nie słucha, więc nic się nie zmienia. W odróżnieniu od kopii każdy od początku liczy coś nowego; a skoro jego wyjście nie jest zerem, to nie jest nim też gradient wag wyjściowych i trening może zacząć z niego korzystać.
#
# ### Moduły (dla dociekliwych)
#
# Co raz się podzieliło, może się dzielić dalej, także wszerz: z jednej krawędzi powstają dwie, jedna za drugą, albo dwie obok siebie, których suma jest starą. To, co da się zbudować z tych dwóch kroków, Wei i in. (2017, [arXiv 1701.03281](https://arxiv.org/abs/1701.03281)) nazywają modułem **prostym**; należy do nich blok rezydualny (tutaj ze splotem na skrócie, żeby równanie miało dość niewiadomych). Inne są **złożone**, jak mostek poniżej. Każdy wierzchołek wewnętrzny ma aktywację parametryczną, na początku identyczność. Dlatego w obu wypadkach wszystkie drogi od wejścia do wyjścia muszą dać razem stary filtr:
#
# $$\tilde G = \sum_{u} F_{u \to \text{out}} \circledast H_u, \qquad H_u \text{ to złożony filtr wszystkich dróg od wejścia do } u .$$
#
# Suma obejmuje krawędzie prowadzące do wyjścia, a $H_{\text{in}}$ to identyczność. Wylosuj wszystko poza tymi ostatnimi krawędziami, a względem nich równanie jest liniowe. Na rysunku krawędzie są podpisane rozmiarami filtrów.

# %%
residual_block = [("in", "a", 1), ("a", "b", 3), ("b", "out", 1), ("in", "out", 3)]
bridge = [("in", "a", 1), ("in", "b", 3), ("a", "b", 3), ("a", "out", 3), ("b", "out", 1)]
places = {"in": (0, 0), "a": (1, 0.6), "b": (2, 0.6), "out": (3, 0)}
fig, axes = plt.subplots(1, 2, figsize=(8.5, 2.4))
for ax, edges, heights in zip(axes, (residual_block, bridge), ({}, {"a": (1.5, 0.7), "b": (1.5, -0.7)})):
    where = places | heights
    for start, end, kernel_size in edges:
        ax.annotate("", where[end], where[start], arrowprops={"arrowstyle": "-|>", "color": palette("blue"), "shrinkA": 14, "shrinkB": 14})
        ax.annotate(f"{kernel_size}×{kernel_size}", np.mean([where[start], where[end]], 0), ha="center", va="center", fontsize=9, backgroundcolor="white")
    for name, place in where.items():
        if any(name in edge for edge in edges):
            ax.annotate(name, place, ha="center", va="center", bbox={"boxstyle": "circle", "fc": "white", "ec": palette("black")})
    ax.set(xlim=(-0.4, 3.4), ylim=(-1.1, 1.1), title=t("residual block: simple", "blok rezydualny: prosty") if is_simple(edges) else t("bridge: complex", "mostek: złożony"))
    ax.axis("off")
show(fig, alt=t("Two graphs from in to out. Simple: a path by way of a and b, and a direct edge. Complex: paths by a and by b, with an edge from a to b across.",
                "Dwa grafy od wejścia in do wyjścia out. Prosty: droga przez a i b oraz krawędź bezpośrednia. Złożony: drogi przez a i przez b oraz krawędź w poprzek z a do b."))

# %% [markdown] lang="en"
# ## The experiment
#
# A teacher learns for three epochs. Then it grows, in one of six ways: twice as wide everywhere; deeper by two convolutions, with the statistics for batch normalisation or without; with larger kernels; with `conv2` split in two by the morphism equation (and tanh between, to show that any activation will do); with a bridge in the place of `conv2`. A seventh is *no* morphism: the same deeper network, but its new layers random, as torch makes them.
# %% [markdown] lang="pl"
# ## Eksperyment
#
# Nauczyciel uczy się przez trzy epoki. Potem rośnie na jeden z sześciu sposobów: wszędzie dwa razy szerzej; o dwa sploty głębiej, ze statystykami dla normalizacji wsadowej albo bez nich; z większymi filtrami; z `conv2` rozdzielonym na dwa sploty równaniem morfizmu (i z tangensem pośrodku, żeby pokazać, że funkcja aktywacji może być dowolna); z mostkiem w miejscu `conv2`. Siódmy sposób *nie* jest morfizmem: ta sama głębsza sieć, ale jej nowe warstwy są losowe, takie, jakie tworzy PyTorch.

# %%
def accuracy(network):
    with torch.no_grad():
        return (network.eval()(test[0]).argmax(1) == test[1]).double().mean().item()


def learn(network, epochs, seed, every=9):
    # en: Accuracies before the first mini-batch and after every ninth one.
    # pl: Dokładności przed pierwszą minipaczką i po każdej dziewiątej.
    optimizer, generator = torch.optim.Adam(network.parameters(), 1e-3), torch.Generator().manual_seed(seed)
    shuffled = [torch.randperm(4000, generator=generator).split(64) for _ in range(math.ceil(epochs))]
    curve = [accuracy(network)]
    for number, batch in enumerate(sum(shuffled, ())[: int(epochs * len(shuffled[0]))], start=1):
        loss = F.cross_entropy(network.train()(train[0][batch]), train[1][batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if number % every == 0:
            curve.append(accuracy(network))
    return curve


def taught(seed, epochs=3, **sizes):
    seed_everything(seed)
    network = digit_net(**sizes)
    return network, learn(network, epochs, seed)


teacher, teacher_curve = taught(SEED)

# %%
def wider(network, factor=2, **options):
    for layer in ("conv1", "conv2", "dense"):
        network = widen(network, layer, factor * len(network.get_submodule(layer).weight), **options)
    return network


def deeper(network):
    inputs = train[0][:500].to(network.head.weight.dtype)
    return deepen(deepen(network, "conv2", inputs=inputs), "conv1", inputs=inputs)


def random_layers(network):
    # en: Behind each activation: 0 is what stood there, 1 the new convolution, 2 its batch normalisation.
    # pl: Za każdą funkcją aktywacji: 0 to to, co tam stało, 1 to nowy splot, 2 to jego normalizacja wsadowa.
    grown = deeper(network)
    for act, part in product(("act1", "act2"), (1, 2)):
        grown.get_submodule(act)[part].reset_parameters()
    return grown


grow = {
    t("wider", "szersza"): wider,
    t("deeper", "głębsza"): deeper,
    t("larger kernels", "większe filtry"): lambda network: morph_kernel(morph_kernel(network, "conv1", 7), "conv2", 5),
    t("deeper, no statistics", "głębsza, bez statystyk"): lambda network: deepen(deepen(network, "conv2"), "conv1"),
    t("morphed deeper", "głębsza przez morfizm"): lambda network: morph_depth(network, "conv2", activation=nn.Tanh()).network,
    t("a bridge", "mostek"): lambda network: morph_module(network, "conv2", bridge, channels=16).network,
    t("random layers", "losowe warstwy"): random_layers,
}

# %% tags=["predict"]
guess = Prediction(
    ("The teacher is right on about 94 % of the test digits. What percentage does the network with two random layers get right, before any training?", "Nauczyciel rozpoznaje około 94 % cyfr testowych. Ile procent rozpozna sieć z dwiema losowymi warstwami, zanim zacznie się uczyć?"),
    low=0, high=100, unit="%",
)
guess

# %% [markdown] lang="en"
# The distance is the largest difference of any output on 500 digits, in double precision, first in evaluation mode, then in training mode, in which each batch is normalised by its own mean and variance.
# %% [markdown] lang="pl"
# Odległość to największa różnica któregokolwiek wyjścia na 500 cyfrach, w podwójnej precyzji, najpierw w trybie ewaluacji, potem w trybie treningu, w którym każdą paczkę normalizuje jej własna średnia i wariancja.

# %%
exact, batch = copy.deepcopy(teacher).double(), train[0][:500].double()
grown, twins = ({name: transform(network) for name, transform in grow.items()} for network in (teacher, exact))
distances = {name: function_distance(exact, network, batch) for name, network in twins.items()}
in_training = {name: function_distance(exact, network, batch, training=True) for name, network in twins.items()}
at_growth = {name: accuracy(network) for name, network in grown.items()}


def parameters(network):
    return sum(p.numel() for p in network.parameters())


table([(t("teacher"), parameters(teacher), "–", "–", f"{teacher_curve[-1]:.1%}"),
       *((name, parameters(network), f"{distances[name]:.0e}", f"{in_training[name]:.0e}", f"{at_growth[name]:.1%}") for name, network in grown.items())],
      [t("network", "sieć"), t("parameters", "parametry"), t("distance"), t("distance in training mode", "odległość w trybie treningu"), t("accuracy")])
guess.compare(100 * at_growth[t("random layers", "losowe warstwy")])

# %% [markdown] lang="en"
# In evaluation mode every morphism changes the outputs by rounding errors only, and not a single answer, even with four times the parameters. Random layers put the network back to guessing: they wipe out what was learned, although every trained weight is still there.
#
# Deepening without statistics is exact in evaluation mode, and off in training mode, as computed above: when such a network begins to train, it computes something else. With the statistics of a batch the function is kept exactly on that batch, and nearly on others. (In the table further below, after nine batches: “deeper, no statistics” against “deeper”.)
#
# ### Training continues
#
# Now the grown networks learn, and beside them the teacher itself and a wide network from scratch. When we widen, the incoming weights of the copies get a little noise (0.3 standard deviations of the layer's weights); the section “When it fails” shows why. The function is then preserved only nearly. Three teachers, each with its own initial weights and order of batches; bands are 95 % intervals.
# %% [markdown] lang="pl"
# W trybie ewaluacji każdy morfizm zmienia wyjścia tylko o błąd zaokrągleń i nie zmienia przy tym żadnej odpowiedzi, choć parametrów bywa nawet cztery razy więcej. Losowe warstwy cofają sieć do zgadywania: niszczą to, czego się nauczyła, mimo że wszystkie wytrenowane wagi wciąż w niej są.
#
# Pogłębienie bez statystyk jest dokładne w trybie ewaluacji, a w trybie treningu nie, zgodnie z rachunkiem powyżej: gdy taka sieć zaczyna się uczyć, liczy co innego. Ze statystykami paczki funkcja jest na tej paczce zachowana dokładnie, a na innych prawie. (Porównaj w tabeli niżej, po dziewięciu paczkach: „głębsza, bez statystyk” i „głębsza”.)
#
# ### Dalsze uczenie
#
# Teraz powiększone sieci uczą się dalej, a obok nich sam nauczyciel i szeroka sieć trenowana od zera. Przy poszerzaniu wagi wejściowe kopii dostają odrobinę szumu (0,3 odchylenia standardowego wag warstwy); po co, okaże się w części „Kiedy to zawodzi”. Funkcja jest wtedy zachowana tylko w przybliżeniu. Trzech nauczycieli, każdy z własnymi wagami początkowymi i kolejnością paczek; pasma to przedziały ufności 95 %.

# %% tags=["predict"]
lead = Prediction(
    ("After one more epoch (63 mini-batches), how far ahead of the wide network from scratch is the widened one?", "O ile poszerzona sieć wyprzedza po jednej dodatkowej epoce (63 minipaczki) szeroką sieć trenowaną od zera?"),
    low=0, high=50, unit=("points", "pkt"),
)
lead

# %%
runs = {name: [] for name in ("teacher", "wider", "deeper", "wide from scratch")}
for seed in range(3 * SEED, 3 * SEED + 3):
    start, _ = taught(seed)
    scratch = digit_net(16, 64)
    for name, network in zip(runs, (copy.deepcopy(start), wider(start, seed=seed, noise=0.3), deeper(start), scratch)):
        runs[name].append(learn(network, 2, seed + 1))
batches = np.arange(0, 9 * len(runs["wider"][0]), 9)
after_one = {name: 100 * np.array(curves)[:, batches.searchsorted(63)] for name, curves in runs.items()}
told = {"teacher": t("teacher, training continued", "nauczyciel, uczony dalej"), "wider": t("wider, noise 0.3", "szersza, szum 0,3"), "deeper": t("deeper", "głębsza"), "wide from scratch": t("wide, from scratch", "szeroka, od zera")}
fig, ax = plt.subplots(figsize=(7.5, 3.8))
for (name, curves), colour in zip(runs.items(), ("grey", "blue", "green", "red")):
    band(ax, batches, 100 * np.array(curves), told[name], colour)
ax.set(xlabel=t("mini-batches after the growth", "minipaczki po powiększeniu"), ylabel=t("accuracy (%)", "dokładność (%)"), ylim=(70, 98))
ax.legend(loc="lower right")
show(fig, alt=t("Accuracy against mini-batches. The wider and the deeper network begin where the teacher stands and rise slowly; the one from scratch comes up from far below and is a point or so behind at the end.",
                "Dokładność względem minipaczek. Sieć szersza i głębsza zaczynają tam, gdzie stoi nauczyciel, i powoli rosną; trenowana od zera nadchodzi z daleka od dołu i na końcu traci około punktu."))
lead.compare(float((after_one["wider"] - after_one["wide from scratch"]).mean()))

# %% [markdown] lang="en"
# The head start is large and certain, and soon nearly used up. Ten seeds and five epochs, from the record: on the left as seen by someone who already *has* the teacher, on the right with the teacher's own 189 mini-batches counted. (There the morphism splits both convolutions.)
# %% [markdown] lang="pl"
# Przewaga na starcie jest duża i pewna, ale szybko prawie znika. Niżej dziesięć ziaren losowości i pięć epok, z zapisu: po lewej tak, jak widzi to ktoś, kto nauczyciela *już ma*, po prawej z doliczonymi 189 minipaczkami samego nauczyciela. (Morfizm dzieli tam oba sploty.)

# %%
record = recorded("growing_networks")
good, x = record.results["good"], np.array(record.results["batches"])
paid = record.results["teachers"]["good"]["batches"][-1]
shown = {"teacher, trained on": (told["teacher"], "grey"), "wider, noise": (told["wider"], "blue"), "deeper": (told["deeper"], "green"),
         "wide from scratch": (told["wide from scratch"], "red"), "deep from scratch": (t("deep, from scratch", "głęboka, od zera"), "orange")}
fig, axes = plt.subplots(1, 2, figsize=(9.5, 3.6), sharey=True)
for ax, counted in zip(axes, (0, paid)):
    for name, (label, colour) in shown.items():
        shift = 0 if "scratch" in name else counted
        band(ax, x + shift, 100 * np.array(good[name]["curve"]), label, colour)
    ax.set(xlabel=t("mini-batches", "minipaczki"), ylim=(80, 98))
axes[0].set(ylabel=t("accuracy (%)", "dokładność (%)"), title=t("the teacher was there", "nauczyciel już był"))
axes[1].set_title(t("the teacher's batches counted", "z paczkami nauczyciela"))
axes[1].legend(loc="lower right", fontsize=9)
show(fig, alt=t("Left, grown networks begin at 94 percent and those from scratch reach this level after two epochs or so. Right, shifted by the teacher's batches, the wide network from scratch is ahead of the grown ones.",
                "Po lewej powiększone sieci zaczynają od 94 procent, a trenowane od zera dochodzą do tego poziomu po mniej więcej dwóch epokach. Po prawej, po przesunięciu o paczki nauczyciela, szeroka sieć od zera wyprzedza powiększone."))
ends = {name: 100 * np.array(good[name]["curve"])[:, -1] for name in good}
early = {name: 100 * np.array(good[name]["curve"])[:, 1] for name in good}
names = {"teacher, trained on": told["teacher"], "wider": t("wider, no noise", "szersza, bez szumu"), "wider, noise": told["wider"], "morphed wider": t("wider by a morphism", "szersza przez morfizm"),
         "wide from scratch": told["wide from scratch"], "random padding": t("wide, random around the old weights", "szeroka, losowe wagi wokół starych"), "deeper": told["deeper"], "deeper, blind": t("deeper, no statistics", "głębsza, bez statystyk"), "morphed deeper": t("deeper by a morphism", "głębsza przez morfizm"),
         "random layer": t("deeper, random layers", "głębsza, losowe warstwy"), "deep from scratch": t("deep, from scratch", "głęboka, od zera"), "larger kernels": t("larger kernels", "większe filtry")}
table([(label, f"{100 * np.mean([c[0] for c in good[name]['curve']]):.1f}", f"{early[name].mean():.1f}", f"{ends[name].mean():.1f}") for name, label in names.items()],
      [t("accuracy (%)", "dokładność (%)"), t("at growth", "przy powiększeniu"), t("after 9 batches", "po 9 paczkach"), t("after 5 epochs", "po 5 epokach")])
record.note()

# %% [markdown] lang="en"
# Read the last column first: after five epochs hardly anything separates them. What growing buys is **time, not quality**, and only if the small network exists already; on the right the wide network from scratch is ahead wherever the two can be compared. (We count mini-batches; those of the small teacher are cheaper, so in seconds the bill would be kinder to growing.)
#
# Compare also with the teacher that simply kept training: copies, noisy or not, gained next to nothing over it; fresh channels, identity layers and larger kernels gained about half a point. Extra room is worth nothing until something fills it.
#
# In Chen et al. the gain was the same in kind: Inception networks on ImageNet that had been widened or deepened reached a given accuracy with much less training than those from scratch. There an experiment takes weeks; in ours it takes seconds, so that we can afford ten seeds, and the digits are easy.
#
# Also look at “random around the old weights”: the accuracy hardly falls, although this is no morphism, and it ends no lower. Probably torch's small first weights keep the random part quiet. It worked here; the random layers show that it is luck, not a law.

# %% [markdown] lang="pl"
# Zacznij od ostatniej kolumny: po pięciu epokach prawie nic ich nie różni. Powiększanie oszczędza **czas, ale nie poprawia jakości**, i to tylko wtedy, gdy mała sieć już istnieje; na prawym rysunku szeroka sieć od zera prowadzi wszędzie tam, gdzie da się je porównać. (Liczymy minipaczki, a te u małego nauczyciela są tańsze; w sekundach rachunek wypadłby dla powiększania korzystniej.)
#
# Porównaj też z nauczycielem, który po prostu uczył się dalej: kopie, z szumem czy bez, nie dały nad nim prawie żadnej przewagi; świeże kanały, warstwy identycznościowe i większe filtry dały około pół punktu. Większe miejsce trzeba jeszcze czymś zapełnić.
#
# U Chena i in. zysk był tego samego rodzaju: poszerzone albo pogłębione sieci Inception na zbiorze ImageNet osiągały daną dokładność po znacznie krótszym treningu niż te od zera. Tam eksperyment trwa tygodnie; nasz trwa sekundy, więc stać nas na dziesięć ziaren, za to cyfry są łatwe.
#
# Spójrz też na „losowe wagi wokół starych”: dokładność prawie nie spada, choć to nie jest morfizm, a na końcu nie jest niższa. Prawdopodobnie małe początkowe wagi z biblioteki torch sprawiają, że losowa część jest cicha. Tutaj się udało; że to szczęście, a nie prawo, pokazują losowe warstwy.

# %% [markdown] lang="en"
# ## Explore
#
# Tick how the teacher grows. The bars show the accuracy at the moment of growth and after half an epoch more; the title tells the distance and the number of parameters. Morphisms, in any combination, change nothing. What does noise do, of 0.3 and of 2 standard deviations?
# %% [markdown] lang="pl"
# ## Zbadaj
#
# Zaznacz, jak ma urosnąć nauczyciel. Słupki pokazują dokładność w chwili powiększenia i po dalszej połowie epoki; tytuł mówi, jaka jest odległość i ile jest parametrów. Morfizmy, w każdym połączeniu, niczego nie zmieniają. A co robi szum, 0,3 i 2 odchylenia standardowe?

# %% tags=["widget"]
def grown_by(network, wide, deep, kernels, noise):
    network = grow[t("larger kernels", "większe filtry")](network) if kernels else copy.deepcopy(network)
    network = wider(network, noise=noise) if wide else network
    return deeper(network) if deep else network


tried = {}
for choice in product((False, True), (False, True), (False, True), (0, 0.3, 2)):
    if choice[0] or not choice[-1]:
        network, twin = grown_by(teacher, *choice), grown_by(exact, *choice)
        tried[choice] = (function_distance(exact, twin, batch), parameters(network), *learn(network, 0.5, SEED, every=31))


def growth(wide, deep, kernels, noise):
    distance, count, first, later = tried[wide, deep, kernels, noise if wide else 0]
    fig, ax = plt.subplots(figsize=(6.5, 2.6))
    bars = ax.barh([2, 1, 0], [100 * teacher_curve[-1], 100 * first, 100 * later], color=[palette(c) for c in ("grey", "sky", "blue")])
    ax.bar_label(bars, fmt="%.1f", padding=3)
    ax.set(xlim=(0, 110), xlabel=t("accuracy (%)", "dokładność (%)"), yticks=[2, 1, 0], yticklabels=[t("teacher"), t("at growth", "przy powiększeniu"), t("after 31 batches", "po 31 paczkach")])
    ax.set_title(t(f"distance {distance:.0e}, {count:,} parameters", f"odległość {distance:.0e}, parametry: {count:,}".replace(",", " ").replace("  ", ", ")), fontsize=10)
    return fig, t(f"Accuracy of the teacher, at growth {first:.0%} and after 31 batches {later:.0%}; distance {distance:.0e}.", f"Dokładność nauczyciela, przy powiększeniu {first:.0%} i po 31 paczkach {later:.0%}; odległość {distance:.0e}.")


explore(growth, wide=widgets.Checkbox(value=True, description=t("wider", "szersza")), deep=widgets.Checkbox(description=t("deeper", "głębsza")),
        kernels=widgets.Checkbox(description=t("larger kernels", "większe filtry")), noise=[0, 0.3, 2],
        labels={"wide": t("wider", "szersza"), "deep": t("deeper", "głębsza"), "kernels": t("larger kernels", "większe filtry"), "noise": t("noise (if wider)", "szum (jeśli szersza)")})

# %% [markdown] lang="en"
# ## When it fails
#
# ### Copies that stay copies
#
# Take unit $i$ and its copy $j$. They have the same incoming weights, so the same output $h$, and the same outgoing weights $V_{oi} = V_{oj}$. With $\delta_o = \partial L / \partial y_o$, $z = W x + b$ and $W_j$ a row,
#
# $$\frac{\partial L}{\partial W_j} = \sum_o \delta_o V_{oj}\, \varphi'(z_j)\, x^\top = \sum_o \delta_o V_{oi}\, \varphi'(z_i)\, x^\top = \frac{\partial L}{\partial W_i}, \qquad \frac{\partial L}{\partial V_{oj}} = \delta_o h_j = \frac{\partial L}{\partial V_{oi}} .$$
#
# The same gradient moves both in the same way, at every step: **they stay the same unit**, paid for twice. A little noise on the copies' incoming weights breaks the tie. (So does dropout: it silences one copy and not the other. The bakers, too, must differ before they can specialise.) Does that make them specialists? Watch the distance between copy and original, before and after two epochs.
# %% [markdown] lang="pl"
# ## Kiedy to zawodzi
#
# ### Kopie, które zostają kopiami
#
# Weź neuron $i$ i jego kopię $j$. Mają te same wagi wejściowe, więc to samo wyjście $h$, oraz te same wagi wyjściowe $V_{oi} = V_{oj}$. Gdy $\delta_o = \partial L / \partial y_o$, $z = W x + b$, a $W_j$ to wiersz, mamy
#
# $$\frac{\partial L}{\partial W_j} = \sum_o \delta_o V_{oj}\, \varphi'(z_j)\, x^\top = \sum_o \delta_o V_{oi}\, \varphi'(z_i)\, x^\top = \frac{\partial L}{\partial W_i}, \qquad \frac{\partial L}{\partial V_{oj}} = \delta_o h_j = \frac{\partial L}{\partial V_{oi}} .$$
#
# Ten sam gradient przesuwa oba tak samo, w każdym kroku: **pozostają tym samym neuronem**, za który płacimy podwójnie. Odrobina szumu w wagach wejściowych kopii łamie tę symetrię. (Dropout też: wycisza jedną kopię, a drugiej nie. Piekarze także muszą się czymś różnić, zanim zaczną się specjalizować.) Czy robi to z nich specjalistów? Śledź odległość między kopią a oryginałem, przed dwiema epokami i po nich.

# %%
def apart(network, mapping):
    # en: Mean distance of a copy's incoming weights from the original's, in lengths of the original's.
    # pl: Średnia odległość wag wejściowych kopii od oryginału, w długościach wag oryginału.
    rows, copied = network.dense.weight.detach(), mapping != torch.arange(len(mapping))
    return ((rows - rows[mapping]).norm(dim=1) / rows[mapping].norm(dim=1))[copied].mean().item()


mapping = random_mapping(32, 64, torch.Generator().manual_seed(SEED))
copies = {}
for noise in (0, 0.1, 0.3):
    network = widen(teacher, "dense", 64, seed=SEED, noise=noise)
    before = apart(network, mapping)
    learn(network, 2, SEED)
    copies[noise] = apart(network, mapping)
    print(t(f"noise {noise}: apart {before:.5f}, after two epochs {copies[noise]:.5f}", f"szum {noise}: odległość {before:.5f}, po dwóch epokach {copies[noise]:.5f}"))

# %% [markdown] lang="en"
# Without noise the distance stays exactly 0. Noise keeps them different, but they do not move further apart in two epochs; nor did the table above show a gain.
#
# ### An activation that is not idempotent
#
# The same network with tanh in the place of ReLU. `deepen` refuses. What would have happened, had it not?
# %% [markdown] lang="pl"
# Bez szumu odległość pozostaje dokładnie zerem. Z szumem kopie pozostają różne, ale w dwie epoki nie oddalają się od siebie; zysku nie pokazała też tabela powyżej.
#
# ### Funkcja aktywacji, która nie jest idempotentna
#
# Ta sama sieć z tangensem hiperbolicznym zamiast ReLU. `deepen` odmawia. Co by się stało, gdyby nie odmówiło?

# %%
smooth, _ = taught(SEED, activation=nn.Tanh)
try:
    deepen(smooth, "dense")
except ValueError as refused:
    print(refused)

identity = nn.Linear(32, 32)
nn.init.eye_(identity.weight), nn.init.zeros_(identity.bias)
plain, repaired = copy.deepcopy(smooth), copy.deepcopy(smooth)
plain.act3 = nn.Sequential(nn.Tanh(), identity, nn.Tanh())
repaired.act3 = nn.Sequential(nn.Tanh(), identity, ParametricActivation(nn.Tanh()))
broken = {t("identity and tanh", "identyczność i tanh"): plain, t("identity and parametric tanh", "identyczność i parametryczny tanh"): repaired}
tanh = {name: function_distance(smooth, network, test[0][:200]) for name, network in broken.items()}
table([(name, f"{distance:.0e}", f"{accuracy(broken[name]):.1%}") for name, distance in tanh.items()], [t("inserted", "wstawiono"), t("distance"), t("accuracy")])

# %% [markdown] lang="en"
# The outputs change, though hardly an answer does: tanh flattens what the head sees, and the largest output mostly stays the largest. The parametric activation changes nothing.
#
# ### A teacher that was too small
#
# Four times fewer channels and units, and after eight epochs still well behind our first teacher; each further epoch brings a point at most. It grows to that teacher's size, and goes on learning. (From the record.)
# %% [markdown] lang="pl"
# Wyjścia się zmieniają, choć odpowiedzi prawie nie: tangens spłaszcza to, co widzi głowica, a największe wyjście zwykle pozostaje największe. Aktywacja parametryczna nie zmienia niczego.
#
# ### Nauczyciel, który był za mały
#
# Cztery razy mniej kanałów i neuronów, a po ośmiu epokach wciąż daleko do naszego pierwszego nauczyciela; każda następna daje już najwyżej około punktu. Rośnie do rozmiaru tamtego i uczy się dalej. (Z zapisu.)

# %%
small, (fig, ax) = record.results["small"], plt.subplots(figsize=(7.5, 3.8))
heirs = {"teacher, trained on": (told["teacher"], "grey"), "wider": (names["wider"], "sky"), "wider, noise": (names["wider, noise"], "blue"), "morphed wider": (names["morphed wider"], "green"), "wide from scratch": (told["wide from scratch"], "red")}
for name, (label, colour) in heirs.items():
    band(ax, x, 100 * np.array(small[name]["curve"]), label, colour)
ax.set(xlabel=t("mini-batches after the growth", "minipaczki po powiększeniu"), ylabel=t("accuracy (%)", "dokładność (%)"), ylim=(80, 98))
ax.legend(loc="lower right", fontsize=9)
show(fig, alt=t("A small teacher's descendants begin near 88 percent and rise slowly; the network from scratch passes the copies after about one and a half epochs and stays above them; the one grown by a morphism stays level with it.", "Potomkowie małego nauczyciela zaczynają blisko 88 procent i rosną powoli; sieć trenowana od zera wyprzedza kopie po około półtorej epoki i zostaje wyżej, a powiększona przez morfizm idzie z nią prawie równo."))

# %% [markdown] lang="en"
# Here *copying* is a burden. Copies of two poor channels, even noisy ones, are still poor channels, and stay about three points behind the network that inherited nothing. The network that inherited just as much, but got new random channels (*by a morphism*), nearly keeps up with it. **If a network was too small to find good features, give it new units, not copies of the old ones.**
#
# ## In robotics
#
# A robot gets a new sensor: a depth camera beside the grey one. Must its network start again? Give the first layer one more input channel with weights of zero: not a single output changes, whatever the new sensor says, and learning decides what it is good for. (The gradient of these weights is not zero, because their input is not.)
# %% [markdown] lang="pl"
# Tutaj ciężarem jest *kopiowanie*. Kopie dwóch kiepskich kanałów, nawet zaszumione, to nadal kiepskie kanały i sieć z nimi przegrywa o mniej więcej trzy punkty z siecią, która niczego nie odziedziczyła. Sieć, która odziedziczyła tyle samo, ale dostała nowe losowe kanały (*przez morfizm*), prawie dotrzymuje jej kroku. **Jeśli sieć była za mała, żeby znaleźć dobre cechy, daj jej nowe neurony, a nie kopie starych.**
#
# ## W robotyce
#
# Robot dostaje nowy czujnik: kamerę głębi obok zwykłej, w odcieniach szarości. Czy jego sieć musi zaczynać od nowa? Daj pierwszej warstwie jeszcze jeden kanał wejściowy o wagach zero: nie zmieni się ani jedno wyjście, cokolwiek nowy czujnik powie, a do czego się przyda, pokaże dalsze uczenie. (Gradient tych wag nie jest zerem, bo nie jest nim ich wejście.)

# %%
two_sensors = copy.deepcopy(teacher).eval()
with torch.no_grad():
    two_sensors.conv1.weight = nn.Parameter(F.pad(teacher.conv1.weight, (0, 0, 0, 0, 0, 1)))
    change = (two_sensors(torch.cat([test[0], torch.rand_like(test[0])], 1)) - teacher.eval()(test[0])).abs().max().item()
print(t(f"change of the outputs by a second sensor, pure noise: {change:.0e}", f"zmiana wyjść przez drugi czujnik, czysty szum: {change:.0e}"))

# %% [markdown] lang="en"
# The same trick carried OpenAI Five, which played Dota 2, through ten months of changes to game, observations and network: at each change of network or observations a *surgery* kept, exactly or nearly, what the policy computed (Berner et al. 2019, [arXiv 1912.06680](https://arxiv.org/abs/1912.06680)). The authors also report the other side: afterwards they trained once more from scratch, with the final setting, and got a stronger policy with a fraction of the computation. Growing keeps a system alive while it develops; once you know what you want, a fresh start can do better.
#
# Architecture search uses function-preserving transformations for the same reason: a candidate need not be trained from zero if it grows out of its predecessor (Cai et al. 2018, [arXiv 1707.04873](https://arxiv.org/abs/1707.04873)).
# %% [markdown] lang="pl"
# Tak przez dziesięć miesięcy zmian w grze, obserwacjach i sieci przetrwał OpenAI Five, grający w Dotę 2: przy każdej zmianie sieci lub obserwacji *operacja chirurgiczna* (ang. *surgery*) zachowywała, dokładnie albo prawie, to, co liczyła polityka (Berner i in. 2019, [arXiv 1912.06680](https://arxiv.org/abs/1912.06680)). Autorzy pokazują też drugą stronę: na koniec wytrenowali system jeszcze raz od zera, w ostatecznych ustawieniach, i małym ułamkiem obliczeń uzyskali silniejszą politykę. Powiększanie utrzymuje system przy życiu, dopóki się rozwija; kto na koniec już wie, czego chce, może więcej zyskać, zaczynając od nowa.
#
# Z tego samego powodu przekształceń zachowujących funkcję używa się w wyszukiwaniu architektur: kandydata nie trzeba trenować od zera, jeśli wyrasta z poprzednika (Cai i in. 2018, [arXiv 1707.04873](https://arxiv.org/abs/1707.04873)).

# %% [markdown] lang="en"
# ## Exercises
#
# **1. A wider pair of layers.** Two linear layers compute $y = W_2\, \varphi(W_1 x + b_1)$: a row of `W1` and an entry of `b1` make a unit, and the matching column of `W2` holds its outgoing weights. `mapping`, a tensor of integers, names for each unit of the wider layer the old unit that it copies; it begins with the old units, 0, 1, 2, …, themselves. Return the new `W1`, `b1` and `W2`, in this order, such that $y$ stays and all copies of a unit share its outgoing weights equally: with `mapping` 0, 1, 0 the outgoing weights 6, 5 become 3, 5, 3. Do not use a function of the package.
# %% [markdown] lang="pl"
# ## Ćwiczenia
#
# **1. Szersza para warstw.** Dwie warstwy liniowe liczą $y = W_2\, \varphi(W_1 x + b_1)$: wiersz `W1` i element `b1` tworzą neuron, a odpowiednia kolumna `W2` to jego wagi wyjściowe. `mapping`, tensor liczb całkowitych, podaje dla każdego neuronu szerszej warstwy numer starego neuronu, który ten kopiuje; na początku stoją same stare neurony: 0, 1, 2, … Zwróć nowe `W1`, `b1` i `W2`, w tej kolejności, takie że $y$ się nie zmienia, a wszystkie kopie neuronu dzielą się po równo jego wagami wyjściowymi: przy `mapping` równym 0, 1, 0 z wag wyjściowych 6, 5 powstają 3, 5, 3. Nie używaj funkcji z pakietu.

# %% tags=["exercise"]
def widen_pair(W1, b1, W2, mapping):
    return ...


# %% [markdown] lang="en" tags=["hint"]
# What goes into a unit is copied: `W1[mapping]`, `b1[mapping]`. What comes out of it is copied and divided: `mapping.bincount()` counts the copies of each *old* unit, and `[mapping]` behind it gives that number to each new one.
# %% [markdown] lang="pl" tags=["hint"]
# To, co wchodzi do neuronu, kopiuje się: `W1[mapping]`, `b1[mapping]`. To, co z niego wychodzi, kopiuje się i dzieli: `mapping.bincount()` liczy kopie każdego *starego* neuronu, a dopisane na końcu `[mapping]` przypisuje tę liczbę każdemu nowemu.

# %% tags=["check"]
check("widen_pair", widen_pair)


# %% tags=["solution"]
def widen_pair(W1, b1, W2, mapping):
    copies = mapping.bincount()[mapping]
    return W1[mapping], b1[mapping], W2[:, mapping] / copies


# %% [markdown] lang="en"
# **2. Two layers as one.** The first layer turns a signal $x$ into $z_n = \sum_s f_s\, x_{n+s}$, the second turns $z$ into $y_n = \sum_t g_t\, z_{n+t}$; that is what `F.conv1d` computes with one channel. `first` holds the $k_1$ numbers $f_s$, `second` the $k_2$ numbers $g_t$. Return the kernel $h$ of the one layer that does both at once, $y_n = \sum_u h_u\, x_{n+u}$, with its $k_1 + k_2 - 1$ numbers. (It is the composition in the morphism equation, here with one channel and in one dimension.)
# %% [markdown] lang="pl"
# **2. Dwie warstwy jako jedna.** Pierwsza warstwa zamienia sygnał $x$ na $z_n = \sum_s f_s\, x_{n+s}$, druga zamienia $z$ na $y_n = \sum_t g_t\, z_{n+t}$; to właśnie liczy `F.conv1d` z jednym kanałem. `first` zawiera $k_1$ liczb $f_s$, `second` zawiera $k_2$ liczb $g_t$. Zwróć filtr $h$ jednej warstwy, która robi to wszystko naraz, $y_n = \sum_u h_u\, x_{n+u}$, czyli jego $k_1 + k_2 - 1$ liczb. (To złożenie z równania morfizmu, tutaj z jednym kanałem i w jednym wymiarze.)

# %% tags=["exercise"]
def compose_1d(first, second):
    return ...


# %% [markdown] lang="en" tags=["hint"]
# Put the one formula into the other: $y_n = \sum_t \sum_s g_t f_s\, x_{n+s+t}$. Which products stand before $x_{n+u}$? Those with $s + t = u$. Two loops will do: start with zeros, and add each product at its place.
# %% [markdown] lang="pl" tags=["hint"]
# Podstaw jeden wzór do drugiego: $y_n = \sum_t \sum_s g_t f_s\, x_{n+s+t}$. Które iloczyny stoją przy $x_{n+u}$? Te, w których $s + t = u$. Wystarczą dwie pętle: zacznij od zer i dodaj każdy iloczyn w odpowiednim miejscu.

# %% tags=["check"]
check("compose_1d", compose_1d)


# %% tags=["solution"]
def compose_1d(first, second):
    composed = first.new_zeros(len(first) + len(second) - 1)
    for place, weight in enumerate(second):
        composed[place : place + len(first)] += weight * first
    return composed


# %% [markdown] lang="en"
# ## Quiz
# %% [markdown] lang="pl"
# ## Quiz

# %% tags=["quiz"]
quiz(
    Quiz(
        t("A unit has been copied twice, so that there are three of it. Why is its outgoing weight divided by 3?", "Neuron skopiowano dwa razy, są więc teraz trzy takie same. Dlaczego jego wagi wyjściowe dzieli się przez 3?"),
        [
            (t("So that the weights stay small, which is a kind of regularisation.", "Żeby wagi pozostały małe, co jest rodzajem regularyzacji."), False,
             t("That the weights get smaller is a side effect; what counts is the sum that the next layer forms.", "To, że wagi maleją, jest skutkiem ubocznym; liczy się suma, którą tworzy następna warstwa.")),
            (t("The next layer adds up all three; only then is the sum what it was.", "Następna warstwa dodaje wszystkie trzy; tylko tak suma będzie taka jak przedtem."), True,
             t("Yes: three times a third of the weight, times the same activation.", "Tak: trzy razy jedna trzecia wagi, razy ta sama aktywacja.")),
            (t("Each of the three hears only a third of the input.", "Każdy z trzech słyszy tylko jedną trzecią wejścia."), False,
             t("Each hears all of it: the incoming weights are copied as they are, because the activation is not linear.", "Każdy słyszy całość: wagi wejściowe kopiuje się bez zmian, bo aktywacja nie jest liniowa.")),
        ],
    ),
    Quiz(
        t("A network has the activation tanh. Behind a layer you put another one, with the identity matrix and tanh. What must be done so that the function stays?", "Sieć ma aktywację tanh. Za jedną z warstw wstawiasz następną, z macierzą jednostkową i tanh. Co trzeba zrobić, żeby funkcja się nie zmieniła?"),
        [
            (t("Nothing: the identity matrix changes nothing.", "Nic: macierz jednostkowa niczego nie zmienia."), False,
             t("The matrix does not, but tanh comes twice, and $\\tanh(\\tanh x) \\neq \\tanh x$ unless $x = 0$. With ReLU it would be right.", "Macierz nie, ale tanh działa dwa razy, a $\\tanh(\\tanh x) \\neq \\tanh x$, chyba że $x = 0$. Z ReLU byłoby dobrze.")),
            (t("Multiply the identity matrix by a suitable number.", "Pomnożyć macierz jednostkową przez odpowiednią liczbę."), False,
             t("No number $c$ makes $\\tanh(c \\tanh x) = \\tanh x$ for all $x$: the left-hand side is another curve.", "Żadna liczba $c$ nie sprawi, że $\\tanh(c \\tanh x) = \\tanh x$ dla każdego $x$: po lewej stronie stoi inna krzywa.")),
            (t("Let the new activation start as the identity, and learn how much of tanh it takes.", "Sprawić, żeby nowa aktywacja zaczynała jako identyczność i uczyła się, ile wziąć z tanh."), True,
             t("Yes: $a\\, x + (1 - a) \\tanh x$ with $a = 1$ at the start, the parametric activation.", "Tak: $a\\, x + (1 - a) \\tanh x$, gdzie na początku $a = 1$, czyli aktywacja parametryczna.")),
        ],
    ),
    Quiz(
        t("A unit and its copy have the same incoming weights and the same outgoing weights. You train on, without noise and without dropout. What becomes of them?", "Neuron i jego kopia mają te same wagi wejściowe i te same wyjściowe. Trenujesz dalej, bez szumu i bez dropoutu. Co się z nimi stanie?"),
        [
            (t("They drift apart by themselves, because the batches are random.", "Same się rozejdą, bo paczki są losowe."), False,
             t("Every batch is random, but the same for both: it pushes both in the same direction.", "Każda paczka jest losowa, ale dla obu ta sama: popycha oba w tę samą stronę.")),
            (t("They stay the same, and together can do what a single unit can.", "Pozostają takie same i razem umieją tyle co jeden neuron."), True,
             t("Yes: equal weights, equal gradients, equal steps. A little noise breaks the symmetry, at the price of a small error at the start.", "Tak: równe wagi, równe gradienty, równe kroki. Odrobina szumu łamie tę symetrię za cenę małego błędu na początku.")),
            (t("One of them dies: its weights go to zero.", "Jeden z nich obumiera: jego wagi dążą do zera."), False,
             t("Nothing tells one from the other, so that no step can prefer one.", "Nic ich nie różni, więc żaden krok nie może wyróżnić jednego z nich.")),
        ],
    ),
    Quiz(
        t("A network has grown out of a trained one and starts where that ended; a network of the same size, from scratch, starts by guessing. The teacher was trained only in order to be grown. When is the comparison fair?", "Sieć wyrosła z wytrenowanej i zaczyna tam, gdzie tamta skończyła; sieć tej samej wielkości trenowana od zera zaczyna od zgadywania. Nauczyciela trenowano tylko po to, żeby go powiększyć. Kiedy porównanie jest uczciwe?"),
        [
            (t("It is already: the grown one starts so far ahead that it stays ahead.", "Już jest: sieć powiększona zaczyna z taką przewagą, że ją utrzyma."), False,
             t("A head start says nothing about the end. The other one catches up, and may overtake: see the curves.", "Przewaga na starcie nie mówi nic o mecie. Druga sieć dogania, a bywa, że wyprzedza: spójrz na krzywe.")),
            (t("When both learn for equally many epochs, from the moment of growth.", "Gdy obie uczą się przez tyle samo epok, licząc od chwili powiększenia."), False,
             t("Then the grown network gets the epochs of its teacher for nothing. Had the teacher been there anyway, one could say so; it was trained for this, so they count.", "Wtedy sieć, która wyrosła, dostaje epoki nauczyciela za darmo. Gdyby nauczyciel i tak istniał, wystarczyłoby to powiedzieć; trenowano go w tym celu, więc się liczą.")),
            (t("When the whole cost of both counts, the teacher's training included, and both curves are followed to the end.", "Gdy liczy się cały koszt obu, razem z treningiem nauczyciela, i obie krzywe aż do końca."), True,
             t("Yes: and the teacher itself, trained on for as long, is the third one to compare with.", "Tak: a trzecim do porównania jest sam nauczyciel, trenowany dalej równie długo.")),
        ],
    ),
)

# %% [markdown] lang="en"
# ## What we saw
#
# - **Wider**: copies that share out what they say; the proof is one line, and holds for any activation.
# - **Deeper**: an identity, if the activation is idempotent, or a parametric activation if it is not; batch normalisation undone with the statistics of data.
# - **The morphism equation** surely has a solution, rare exceptions apart, where one of the two new layers has at least as many weights as the composed kernel; graphs of layers follow from the same equation.
# - **The head start** is certain at first and gone after about four epochs; count the teacher's training, and growing costs a little here.
# - **It fails** where copies stay copies, and where a teacher too small to have good features is widened by copying.
# %% [markdown] lang="pl"
# ## Podsumowanie
#
# - **Szerzej**: kopie dzielą między siebie to, co oryginał przekazywał dalej; dowód zajmuje jeden wiersz i działa dla każdej funkcji aktywacji.
# - **Głębiej**: identyczność, jeśli funkcja aktywacji jest idempotentna, a jeśli nie, to aktywacja parametryczna; normalizację wsadową cofa się statystykami z danych.
# - **Równanie morfizmu** na pewno ma rozwiązanie (poza rzadkimi wyjątkami), gdy jedna z dwóch nowych warstw ma co najmniej tyle wag co złożony filtr; z tego samego równania wynikają całe grafy warstw.
# - **Przewaga na starcie** jest z początku pewna, a po około czterech epokach znika; jeśli doliczyć trening nauczyciela, powiększanie tu nawet trochę kosztuje.
# - **Zawodzi** tam, gdzie kopie pozostają kopiami, i tam, gdzie przez kopiowanie poszerza się nauczyciela zbyt małego, żeby mieć dobre cechy.

# %% tags=["claim"]
morphisms = [name for name in grow if name != t("random layers", "losowe warstwy")]
claim(t("no morphism changes an output, in double precision", "żaden morfizm nie zmienia wyjść, w podwójnej precyzji"), max(distances[name] for name in morphisms), at_most=1e-11)
claim(t("at the moment of growth no morphism changes the accuracy", "w chwili powiększenia żaden morfizm nie zmienia dokładności"), 100 * max(abs(at_growth[name] - teacher_curve[-1]) for name in morphisms), at_most=0.2, unit=t("points", "pkt"))
claim(t("random layers cost most of what was learned", "losowe warstwy kosztują większość tego, czego sieć się nauczyła"), 100 * (teacher_curve[-1] - at_growth[t("random layers", "losowe warstwy")]), at_least=50, unit=t("points", "pkt"))
claim(t("over the first epoch the widened network is ahead of the one from scratch", "w pierwszej epoce poszerzona sieć wyprzedza sieć trenowaną od zera"), 100 * float(np.mean(np.array(runs["wider"])[:, 1:8] - np.array(runs["wide from scratch"])[:, 1:8])), at_least=3, unit=t("points", "pkt"))
claim(t("after five epochs the lead is gone (record)", "po pięciu epokach przewagi nie ma (zapis)"), float(np.mean(ends["wider, noise"] - ends["wide from scratch"])), at_most=0.5, unit=t("points", "pkt"))
claim(t("without noise copies stay copies", "bez szumu kopie pozostają kopiami"), copies[0], at_most=0.01)
claim(t("with noise they stay apart", "z szumem pozostają różne"), copies[0.3], at_least=0.1)
claim(t("an identity layer with tanh changes the outputs", "warstwa identycznościowa z tangensem zmienia wyjścia"), tanh[t("identity and tanh", "identyczność i tanh")], at_least=0.1)
claim(t("with a parametric activation it does not", "z aktywacją parametryczną nie zmienia"), tanh[t("identity and parametric tanh", "identyczność i parametryczny tanh")], at_most=1e-5)
claim(t("copies of a teacher that was too small stay behind training from scratch (record)", "kopie zbyt małego nauczyciela przegrywają z treningiem od zera (zapis)"), 100 * float(np.mean(np.array(small["wide from scratch"]["curve"])[:, -1] - np.array(small["wider"]["curve"])[:, -1])), at_least=0.5, unit=t("points", "pkt"))

# %% [markdown] lang="en"
# ## Where to go next
#
# - Chen et al. 2016, *Net2Net*, [arXiv 1511.05641](https://arxiv.org/abs/1511.05641); Wei et al. 2016, *Network Morphism*, [arXiv 1603.01670](https://arxiv.org/abs/1603.01670); Wei et al. 2017, *Modularized Morphing*, [arXiv 1701.03281](https://arxiv.org/abs/1701.03281).
# - Ash & Adams 2020, [arXiv 1910.08475](https://arxiv.org/abs/1910.08475), ask why a network that has been trained, and then gets more data (a *warm start*), ends worse than one trained on everything from scratch; something similar happened to the copies of our small teacher.
# - [Lesson 10](10_policy_distillation.ipynb) goes the other way: from a large network into a small one. [Lesson 14](14_continual_learning.ipynb) keeps the network's size and asks how it can learn new tasks without forgetting the old ones.
# %% [markdown] lang="pl"
# ## Co dalej
#
# - Chen i in. 2016, *Net2Net*, [arXiv 1511.05641](https://arxiv.org/abs/1511.05641); Wei i in. 2016, *Network Morphism*, [arXiv 1603.01670](https://arxiv.org/abs/1603.01670); Wei i in. 2017, *Modularized Morphing*, [arXiv 1701.03281](https://arxiv.org/abs/1701.03281).
# - Ash i Adams 2020, [arXiv 1910.08475](https://arxiv.org/abs/1910.08475), pytają, dlaczego wytrenowana już sieć, której dołożono danych (ang. *warm start*), wypada gorzej niż trenowana na wszystkim od zera; z kopiami naszego małego nauczyciela było podobnie.
# - [Lekcja 10](10_policy_distillation.ipynb) idzie w drugą stronę: z dużej sieci do małej. [Lekcja 14](14_continual_learning.ipynb) nie zmienia rozmiaru sieci i pyta, jak sieć może się uczyć nowych zadań, nie zapominając starych.
