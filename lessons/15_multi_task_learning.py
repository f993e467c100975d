# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   tlcourse:
#     title: {en: Multi-task learning, pl: Uczenie wielozadaniowe}
#     minutes: 50
#     seconds: 45
#     prerequisites: ["10_policy_distillation"]
# ---

# %% [markdown] lang="en"
# # Multi-task learning
#
# A robot that learns each skill with a network of its own learns its own arm anew every time, and pays for it in demonstrations. Here several skills share one network: you see when they help each other, when they get into each other's way, and what the well-known remedies are worth.
#
# **After this lesson you will be able to**
#
# - write the objective of hard parameter sharing, and say why the scale of a loss decides which task is heard,
# - derive uncertainty weighting from a Gaussian likelihood, with its optimum in closed form,
# - measure gradient conflict, carry out PCGrad by hand, and say what kind of weighted sum it is,
# - train skills apart and together, at few and at many labels, and read a transfer matrix,
# - say when sharing harms, and compare a remedy with the opponent that is hardest to beat: a weighted sum.
#
# **You need**: [lesson 10](10_policy_distillation.ipynb), the inner product, the normal distribution. **Time**: under an hour; the code runs in
# less than a minute. New words are explained in the glossary of [lesson 00](00_start.ipynb).
# %% [markdown] lang="pl"
# # Uczenie wielozadaniowe
#
# Robot, który do każdej umiejętności ma osobną sieć, za każdym razem od nowa uczy się własnego ramienia i za każdym razem płaci za to pokazami. Tutaj kilka umiejętności dzieli jedną sieć: zobaczysz, kiedy sobie pomagają, kiedy sobie przeszkadzają i ile są warte znane środki zaradcze.
#
# **Po tej lekcji będziesz umieć**
#
# - zapisać funkcję celu twardego współdzielenia parametrów i powiedzieć, dlaczego to skala straty decyduje, które zadanie słychać,
# - wyprowadzić ważenie niepewnością z funkcji wiarygodności rozkładu normalnego, razem z optimum w jawnej postaci,
# - zmierzyć konflikt gradientów, wykonać ręcznie PCGrad i powiedzieć, jaką jest sumą ważoną,
# - trenować umiejętności osobno i razem, przy wielu i przy niewielu etykietach, i odczytać macierz transferu,
# - powiedzieć, kiedy współdzielenie szkodzi, i porównać środek zaradczy z przeciwnikiem, którego najtrudniej pokonać: z sumą ważoną.
#
# **Co trzeba umieć**: [lekcja 10](10_policy_distillation.ipynb), iloczyn skalarny, rozkład normalny. **Czas**: niecała godzina; kod wykonuje się
# w niecałą minutę. Nowe słowa wyjaśnia słowniczek w [lekcji 00](00_start.ipynb).

# %% tags=["setup"]
from tlcourse.classroom import start_lesson, t

start_lesson("15_multi_task_learning", lang="en")

# %% tags=["imports"]
import math
from itertools import combinations

import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from tlcourse.classroom import (
    Prediction, Quiz, band, check, claim, explore, heat_map, mean_interval, mean_pm, palette, quiz, recorded, show, show_source, table,
)
from tlcourse.multitask import (
    HardSharing, UncertaintyWeighting, conflict_share, pcgrad, train_multitask,
)
from tlcourse.robots.skilled_arm import (
    SKILLS, STRONGEST, arm_points, attempt, demonstrations, misses, sample_points, target_angles,
)
from tlcourse.runtime import seed_everything

SEED = 0

# %% [markdown] lang="en"
# ## The idea
#
# A girl takes up the piano and the violin in the same year. Notes, rhythm, a musical ear: she learns them once, and both teachers profit. Only the work of the hands she practises for each instrument by itself. Had she taken up the violin alone, with one lesson a month, she would hardly be able to read notes by summer.
#
# Two things can go wrong. One teacher **shouts** and the other whispers: then she practises the piano only. Or they **contradict** each other: at the piano the left hand should be round and loose, on the violin firm. What she does at home is a compromise, and both are dissatisfied.
#
# **Multi-task learning** (Caruana 1997, [Machine Learning 28](https://doi.org/10.1023/A:1007379606734)) trains one network on several tasks at once. In its simplest form all tasks share a **trunk**, the notes and the ear, and each has a small **head**, the hands: **hard parameter sharing**. You have seen it in lesson 10, where one student played three games. There the question was whether one small network can hold what three big ones know; here it is whether the tasks *help each other learn*. Loud teachers and contradicting ones have their exact counterparts, and we begin with them.
# %% [markdown] lang="pl"
# ## Pomysł
#
# Dziewczynka zaczyna w jednym roku grać na fortepianie i na skrzypcach. Nuty, rytm, słuch: tego uczy się raz i korzystają na tym obaj nauczyciele. Osobno, dla każdego instrumentu, ćwiczy tylko pracę rąk. Gdyby uczyła się samych skrzypiec i miała jedną lekcję w miesiącu, do lata ledwo czytałaby nuty.
#
# Kłopoty mogą być dwa. Jeden nauczyciel **krzyczy**, a drugi szepcze: wtedy ćwiczy tylko fortepian. Albo nauczyciele sobie **przeczą**: przy fortepianie lewa dłoń ma być zaokrąglona i luźna, na skrzypcach napięta. W domu wychodzi z tego kompromis, z którego niezadowoleni są obaj.
#
# **Uczenie wielozadaniowe** (ang. *multi-task learning*; Caruana 1997, [Machine Learning 28](https://doi.org/10.1023/A:1007379606734)) trenuje jedną sieć na kilku zadaniach naraz. W najprostszej postaci wszystkie zadania dzielą **pień** (ang. *trunk*), czyli nuty i słuch, a każde ma małą **głowicę** (ang. *head*), czyli pracę rąk: to **twarde współdzielenie parametrów** (ang. *hard parameter sharing*). Znasz je z lekcji 10, gdzie jeden uczeń grał w trzy gry. Tam pytanie brzmiało, czy jedna mała sieć pomieści to, co umieją trzy duże; tutaj, czy zadania *pomagają sobie w nauce*. Głośni nauczyciele i tacy, którzy sobie przeczą, mają swoje dokładne odpowiedniki i od nich zaczniemy.

# %% [markdown] lang="en"
# ## The mathematics
#
# **The objective.** Let $\theta$ be the weights of the trunk and $\eta_i$ those of the head of task $i$, one of $T$. With the loss $L_i$ of each task on its own examples, and weights $w_i > 0$,
#
# $$\min_{\theta,\, \eta_1, \dots, \eta_T} \; \sum_{i=1}^T w_i\, L_i(\theta, \eta_i) .$$
#
# A head hears its own task only. The trunk hears all of them at once: with $g_i = \nabla_\theta L_i$, its gradient is $\sum_i w_i g_i$. Each task has to pay with its labels for a small head, and all pay for the trunk together. That is the whole promise, and it is worth most where labels are few.
#
# **Who is heard?** Measure one error in millimetres instead of metres, and its squared loss and its gradient are a million times larger: the trunk hears nothing else. The weights are to make up for that; but with four tasks there are three ratios to find.
#
# **Who contradicts whom?** A step $\theta - \beta d$ with a small rate $\beta$ changes the loss of task $i$ by $-\beta\, g_i \cdot d$ to first order. So task $i$ gains if $g_i \cdot d > 0$, and loses if it is negative. Two gradients are in **conflict** if $g_1 \cdot g_2 < 0$, that is, if the cosine of their angle $\varphi$ is negative:
#
# $$\cos \varphi = \frac{g_1 \cdot g_2}{\lVert g_1 \rVert\, \lVert g_2 \rVert} .$$
#
# ### By hand
#
# A trunk of two weights, two tasks, $g_1 = (4, 0)$ and $g_2 = (-1, 1)$. Plain training steps against their sum.
# %% [markdown] lang="pl"
# ## Matematyka
#
# **Funkcja celu.** Niech $\theta$ oznacza wagi pnia, a $\eta_i$ wagi głowicy zadania $i$, jednego z $T$. Gdy $L_i$ to strata zadania na jego własnych przykładach, a $w_i > 0$ to wagi zadań,
#
# $$\min_{\theta,\, \eta_1, \dots, \eta_T} \; \sum_{i=1}^T w_i\, L_i(\theta, \eta_i) .$$
#
# Głowica słyszy tylko swoje zadanie. Pień słyszy wszystkie naraz: gdy $g_i = \nabla_\theta L_i$, jego gradient to $\sum_i w_i g_i$. Za małą głowicę każde zadanie płaci swoimi etykietami samo, a za pień płacą wszystkie razem. To cała obietnica, a najwięcej jest warta tam, gdzie etykiet jest mało.
#
# **Kogo słychać?** Zmierz jeden z błędów w milimetrach zamiast w metrach, a jego kwadrat i jego gradient będą milion razy większe: pień nie słyszy już niczego innego. Mają to wyrównać wagi zadań; ale przy czterech zadaniach trzeba znaleźć trzy proporcje.
#
# **Kto komu przeczy?** Krok $\theta - \beta d$ z małym współczynnikiem uczenia $\beta$ zmienia stratę zadania $i$ w pierwszym przybliżeniu o $-\beta\, g_i \cdot d$. Zadanie $i$ zyskuje więc, gdy $g_i \cdot d > 0$, a traci, gdy iloczyn jest ujemny. Dwa gradienty są **w konflikcie** (konflikt gradientów, ang. *gradient conflict*), gdy $g_1 \cdot g_2 < 0$, czyli gdy ujemny jest cosinus kąta $\varphi$ między nimi:
#
# $$\cos \varphi = \frac{g_1 \cdot g_2}{\lVert g_1 \rVert\, \lVert g_2 \rVert} .$$
#
# ### Ręcznie
#
# Pień o dwóch wagach, dwa zadania, $g_1 = (4, 0)$ i $g_2 = (-1, 1)$. Zwykły trening robi krok przeciwnie do ich sumy.

# %% tags=["predict"]
guess = Prediction(
    t("A small step against $g_1 + g_2$: what becomes of the loss of task 2?", "Mały krok przeciwnie do $g_1 + g_2$: co stanie się ze stratą zadania 2?"),
    [t("it falls", "zmaleje"), t("it stays, to first order", "nie zmieni się, w pierwszym przybliżeniu"), t("it rises", "wzrośnie")],
)
guess

# %% [markdown] lang="en"
# The sum is $(3, 1)$, and $g_2 \cdot (3, 1) = -2$: task 2 loses. The longer gradient has carried its point.
#
# **PCGrad** (*projecting conflicting gradients*, Yu et al. 2020, [arXiv 2001.06782](https://arxiv.org/abs/2001.06782)) takes from each gradient what harms the other: where they conflict, $g_1$ is projected onto the hyperplane normal to $g_2$ (here a line), and the other way round, always with the *original* of the other; then they are added up.
#
# $$g_1' = g_1 - \frac{g_1 \cdot g_2}{\lVert g_2 \rVert^2}\, g_2, \qquad g_2' = g_2 - \frac{g_1 \cdot g_2}{\lVert g_1 \rVert^2}\, g_1, \qquad d = g_1' + g_2' .$$
#
# | | value | inner product with $g_1$ | with $g_2$ |
# | --- | --- | --- | --- |
# | sum $g_1 + g_2$ | $(3, 1)$ | $12$ | $-2$ |
# | $g_1' = (4, 0) + \frac42 (-1, 1)$ | $(2, 2)$ | $8$ | $0$ |
# | $g_2' = (-1, 1) + \frac4{16} (4, 0)$ | $(0, 1)$ | $0$ | $1$ |
# | PCGrad $d$ | $(2, 3)$ | $8$ | $1$ |
#
# Now both gain. That is no accident: $g_2' \cdot g_1 = 0$ by construction, so $d \cdot g_1 = g_1' \cdot g_1 = \lVert g_1 \rVert^2 \sin^2 \varphi \ge 0$, and likewise for task 2. (With three tasks or more, each gradient goes through the others in random order, and a later projection can undo an earlier one: the guarantee is for two.)
# %% [markdown] lang="pl"
# Suma to $(3, 1)$, a $g_2 \cdot (3, 1) = -2$: zadanie 2 traci. Dłuższy gradient postawił na swoim.
#
# **PCGrad** (ang. *projecting conflicting gradients*, Yu i in. 2020, [arXiv 2001.06782](https://arxiv.org/abs/2001.06782)) odbiera każdemu gradientowi to, co szkodzi drugiemu: gdy są w konflikcie, rzutuje $g_1$ na hiperpłaszczyznę prostopadłą do $g_2$ (tutaj: na prostą) i na odwrót, za każdym razem biorąc *pierwotną* postać drugiego; potem je dodaje.
#
# $$g_1' = g_1 - \frac{g_1 \cdot g_2}{\lVert g_2 \rVert^2}\, g_2, \qquad g_2' = g_2 - \frac{g_1 \cdot g_2}{\lVert g_1 \rVert^2}\, g_1, \qquad d = g_1' + g_2' .$$
#
# | | wartość | iloczyn z $g_1$ | iloczyn z $g_2$ |
# | --- | --- | --- | --- |
# | suma $g_1 + g_2$ | $(3, 1)$ | $12$ | $-2$ |
# | $g_1' = (4, 0) + \frac42 (-1, 1)$ | $(2, 2)$ | $8$ | $0$ |
# | $g_2' = (-1, 1) + \frac4{16} (4, 0)$ | $(0, 1)$ | $0$ | $1$ |
# | PCGrad $d$ | $(2, 3)$ | $8$ | $1$ |
#
# Teraz zyskują oba. To nie przypadek: z konstrukcji $g_2' \cdot g_1 = 0$, więc $d \cdot g_1 = g_1' \cdot g_1 = \lVert g_1 \rVert^2 \sin^2 \varphi \ge 0$, i tak samo dla zadania 2. (Przy trzech i więcej zadaniach każdy gradient przechodzi przez pozostałe w losowej kolejności, a późniejszy rzut może popsuć wcześniejszy: gwarancja dotyczy dwóch.)

# %%
guess.compare(2)
PAIR = torch.tensor([[4.0, 0.0], [-1.0, 1.0]])


def combined(gradients):
    return {"sum": gradients.sum(0), "PCGrad": pcgrad(gradients, torch.Generator().manual_seed(SEED))}


METHOD = {"sum": (t("sum", "suma"), "orange"), "PCGrad": ("PCGrad", "red")}


def arrow(ax, vector, label, colour, **line):
    ax.annotate("", vector.tolist(), (0, 0), arrowprops={"arrowstyle": "-|>", "color": palette(colour), "linewidth": 2.5, "mutation_scale": 16, "shrinkA": 0, "shrinkB": 0} | line)
    ax.plot([], [], color=palette(colour), label=label, linestyle=line.get("linestyle", "-"))


def draw_plane(ax, gradients):
    for vector, label, colour in zip(gradients, ("$g_1$", "$g_2$"), ("blue", "green")):
        arrow(ax, vector, label, colour)
    for name, vector in combined(gradients).items():
        arrow(ax, vector, *METHOD[name], linestyle="--" if name == "sum" else "-")


fig, ax = plt.subplots(figsize=(7, 3.6))
draw_plane(ax, PAIR)
ax.axline((0, 0), slope=1, color=palette("grey"), linewidth=1)
ax.text(2.2, 2.65, t("normal to $g_2$", "prostopadła do $g_2$"), color=palette("grey"), rotation=45, ha="center", va="center")
ax.set(xlim=(-1.8, 5), ylim=(-0.6, 3.4), aspect="equal", xlabel=t("first weight", "pierwsza waga"), ylabel=t("second weight", "druga waga"))
ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
show(fig, alt=t("Four arrows from the origin: a long one to the right, a short one to the upper left, their sum, which lies beyond the line normal to the short one, and the result of PCGrad, which points upwards on its near side.",
                "Cztery strzałki z początku układu: długa w prawo, krótka w lewo w górę, ich suma, która leży za prostą prostopadłą do krótkiej, oraz wynik PCGrad, skierowany w górę, po bliższej stronie tej prostej."))

# %% [markdown] lang="en"
# The grey line is normal to $g_2$. Above it task 2 gains, below it loses: the sum lies below, PCGrad above.
#
# **What PCGrad really is.** Collect the terms. If $\cos \varphi < 0$,
#
# $$d = \underbrace{\Big(1 + \lvert \cos \varphi \rvert \frac{\lVert g_2 \rVert}{\lVert g_1 \rVert}\Big)}_{w_1} g_1 + \underbrace{\Big(1 + \lvert \cos \varphi \rvert \frac{\lVert g_1 \rVert}{\lVert g_2 \rVert}\Big)}_{w_2} g_2 .$$
#
# A **weighted sum** again, with weights that are chosen anew in each step: the shorter gradient gets the larger one. By hand, $w_1 = 1.25$ and $w_2 = 3$. Without a conflict both are 1, however loud one of the two may be.
#
# **Where it comes to rest.** The sum rests where $g_1 + g_2 = 0$. But if the gradients point in exactly opposite directions, $\cos \varphi = -1$, both projections are 0, *whatever the lengths*. At such points no direction helps both tasks, to first order; for convex losses they form the **Pareto front**, the set of all compromises in which one task can gain only at the other's expense. PCGrad stops at the first one it meets. (Theorem 1 of the paper says so for two smooth convex losses and a small step: it ends in the minimum of the sum, or where $\cos \varphi = -1$.)
#
# Seven starts in two bowls, $L_i(\theta) = \frac12 \sum_k c_{ik} (\theta_k - h_{ik})^2$, with their minima at $h_1 = (-1, -1)$ and $h_2 = (1, 1)$: $k$ counts the two weights, and $c_{ik}$ says how steep bowl $i$ is along weight $k$; each is narrow where the other is wide. The front is the curve of the minima of all weighted sums.
# %% [markdown] lang="pl"
# Szara prosta jest prostopadła do $g_2$. Powyżej niej zadanie 2 zyskuje, poniżej traci: suma leży poniżej, PCGrad powyżej.
#
# **Czym naprawdę jest PCGrad.** Pogrupuj składniki. Gdy $\cos \varphi < 0$,
#
# $$d = \underbrace{\Big(1 + \lvert \cos \varphi \rvert \frac{\lVert g_2 \rVert}{\lVert g_1 \rVert}\Big)}_{w_1} g_1 + \underbrace{\Big(1 + \lvert \cos \varphi \rvert \frac{\lVert g_1 \rVert}{\lVert g_2 \rVert}\Big)}_{w_2} g_2 .$$
#
# To znowu **suma ważona**, o wagach wybieranych w każdym kroku od nowa: większą dostaje krótszy gradient. W przykładzie ręcznym $w_1 = 1{,}25$, a $w_2 = 3$. Bez konfliktu obie są równe 1, choćby jeden z gradientów był nie wiadomo jak głośny.
#
# **Gdzie się zatrzymuje.** Suma zatrzymuje się tam, gdzie $g_1 + g_2 = 0$. Jeśli jednak gradienty wskazują w dokładnie przeciwne strony, $\cos \varphi = -1$, oba rzuty są zerami, *niezależnie od długości*. W takich punktach żaden kierunek nie pomaga w pierwszym przybliżeniu obu zadaniom; gdy straty są wypukłe, tworzą one **front Pareto** (ang. *Pareto front*), zbiór wszystkich kompromisów, w których jedno zadanie może zyskać tylko kosztem drugiego. PCGrad zatrzymuje się w pierwszym, na który trafi. (Mówi o tym twierdzenie 1 z artykułu, dla dwóch wypukłych, gładkich strat i małego kroku: metoda kończy w minimum sumy albo tam, gdzie $\cos \varphi = -1$.)
#
# Siedem startów w dwóch misach, $L_i(\theta) = \frac12 \sum_k c_{ik} (\theta_k - h_{ik})^2$, z minimami $h_1 = (-1, -1)$ i $h_2 = (1, 1)$: $k$ numeruje dwie wagi, a $c_{ik}$ mówi, jak stroma jest misa $i$ wzdłuż wagi $k$; każda jest wąska tam, gdzie druga jest szeroka. Front tworzą minima wszystkich sum ważonych.

# %%
CURVED, HOMES = torch.tensor([[1.0, 4.0], [4.0, 1.0]]), torch.tensor([[-1.0, -1.0], [1.0, 1.0]])
weight = torch.linspace(0, 1, 101)[:, None] * CURVED[0], torch.linspace(1, 0, 101)[:, None] * CURVED[1]
front = (weight[0] * HOMES[0] + weight[1] * HOMES[1]) / (weight[0] + weight[1])


def descend(theta, method):
    path = [theta]
    for _ in range(400):
        path.append(path[-1] - 0.02 * combined(CURVED * (path[-1] - HOMES))[method])
    return torch.stack(path)


angles = torch.arange(7) * 2 * math.pi / 7 + 0.4
starts = 2.2 * torch.stack([angles.cos(), angles.sin()], 1)
trails = {method: torch.stack([descend(start, method) for start in starts]) for method in METHOD}
fig, axes = plt.subplots(1, 2, figsize=(9, 4.4), sharey=True)
for ax, (method, trail) in zip(axes, trails.items()):
    ax.plot(*front.T, color=palette("grey"), linewidth=6, alpha=0.5, label=t("Pareto front", "front Pareto"))
    for path in trail:
        ax.plot(*path.T, color=palette(METHOD[method][1]), linewidth=1.2)
    ax.plot(*trail[:, -1].T, "o", color=palette("black"), markersize=7, label=t("ends", "końce"))
    ax.plot(*HOMES.T, "*", color=palette("blue"), markersize=14, label=t("minima of the tasks", "minima zadań"))
    ax.set(title=METHOD[method][0], xlabel=t("first weight", "pierwsza waga"), aspect="equal")
axes[0].set_ylabel(t("second weight", "druga waga"))
axes[1].legend(loc="upper left", bbox_to_anchor=(1, 1))
show(fig, alt=t("Seven paths from a circle of starts. Under the sum all end in one point in the middle of the grey front; under PCGrad each ends where it first meets the front.",
                "Siedem ścieżek z okręgu startów. Przy sumie wszystkie kończą się w jednym punkcie pośrodku szarego frontu; przy PCGrad każda kończy się tam, gdzie pierwszy raz trafia na front."))

# %% [markdown] lang="en"
# The sum leads to one compromise from everywhere; with PCGrad the start decides which one, and some give nearly all to one task. PCGrad has *no* opinion which compromise is good. Keep that in mind when it is praised or blamed.
#
# **Explore.** Turn the second gradient, and make it longer. On the right: how much of the step $d$ lies along each task's gradient, $g_i \cdot d / \lVert g_i \rVert$; below 0 the task loses. When does the sum harm a task? When do the two methods agree? What happens near 180°?
# %% [markdown] lang="pl"
# Suma z każdego startu prowadzi do tego samego kompromisu; przy PCGrad decyduje start, a czasem prawie wszystko dostaje jedno zadanie. PCGrad *nie rozstrzyga*, który kompromis jest dobry. Pamiętaj o tym, gdy ktoś go chwali albo gani.
#
# **Zbadaj.** Obracaj drugi gradient i wydłużaj go. Po prawej: jaka część kroku $d$ leży wzdłuż gradientu każdego zadania, $g_i \cdot d / \lVert g_i \rVert$; poniżej 0 zadanie traci. Kiedy suma szkodzi któremuś zadaniu? Kiedy obie metody są zgodne? Co się dzieje w pobliżu 180°?

# %% tags=["widget"]
def draw(angle, length):
    turned = length * torch.tensor([math.cos(math.radians(angle)), math.sin(math.radians(angle))])
    gradients = torch.stack([torch.tensor([1.0, 0.0]), turned])
    fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), width_ratios=[1.4, 1])
    draw_plane(left, gradients)
    left.set(xlim=(-4.2, 5.2), ylim=(-0.6, 4.4), aspect="equal", xlabel=t("first weight", "pierwsza waga"), ylabel=t("second weight", "druga waga"))
    left.legend(loc="upper right", fontsize=9)
    said = []
    for (method, d), shift in zip(combined(gradients).items(), (-0.2, 0.2)):
        gains = gradients @ d / gradients.norm(dim=1)
        right.bar(np.arange(2) + shift, gains, 0.36, color=palette(METHOD[method][1]), label=METHOD[method][0])
        said.append("{}: {:.2f}, {:.2f}".format(METHOD[method][0], *gains))
    right.axhline(0, color=palette("black"), linewidth=1)
    right.set(xticks=[0, 1], xticklabels=[t("task 1", "zadanie 1"), t("task 2", "zadanie 2")], ylim=(-4, 5.5), title=t("part of $d$ along $g_i$", "część $d$ wzdłuż $g_i$"))
    return fig, t(f"At {angle} degrees and length {length}, along the gradients of the two tasks: ", f"Przy {angle} stopniach i długości {length}, wzdłuż gradientów obu zadań: ") + "; ".join(said)


explorer = explore(draw, angle=range(0, 181, 15), length=[0.25, 0.5, 1, 2, 4],
                   labels={"angle": t("angle φ in degrees", "kąt φ w stopniach"), "length": t("length of $g_2$", "długość $g_2$")})
explorer.controls["angle"].value = 135
explorer.controls["length"].value = 2
explorer

# %% [markdown] lang="en"
# Up to 90° the two agree. Beyond, the sum harms the task with the shorter gradient as soon as its length is below $\lvert \cos \varphi \rvert$ times that of the longer one; PCGrad harms none, but towards 180° it hardly moves any more.
#
# **The volume.** PCGrad looks at directions. How should loud and quiet losses be balanced? **Uncertainty weighting** (Kendall et al. 2018, [arXiv 1705.07115](https://arxiv.org/abs/1705.07115)) derives the weights from a likelihood. Suppose that task $i$ answers with noise of its own, $y = f_i(x) + \varepsilon$ with $\varepsilon \sim \mathcal{N}(0, \sigma_i^2)$. Then
#
# $$-\ln p(y \mid x) = \frac{(y - f_i(x))^2}{2 \sigma_i^2} + \frac12 \ln \sigma_i^2 + \frac12 \ln 2\pi .$$
#
# The noise is learned, too, as $s_i = \ln \sigma_i^2$, which may be any number. Average over the examples, drop the constant, and add up the tasks; with the mean squared error $L_i$,
#
# $$\frac12 \sum_i \big( e^{-s_i} L_i + s_i \big) .$$
#
# (For a classification Kendall et al. derive, approximately, $e^{-s_i} L_i + \frac12 s_i$ with the cross-entropy $L_i$.) Where does $s_i$ settle? The derivative $\frac12 (1 - e^{-s_i} L_i)$ vanishes at
#
# $$e^{s_i} = L_i, \qquad\text{and there the loss is}\qquad \frac12 \sum_i \big( 1 + \ln L_i \big) .$$
#
# So the learned variance is nothing but the present loss, and what is minimised is the **sum of the logarithms**; the trunk hears $\sum_i g_i / (2 L_i)$. Once the $s_i$ have settled, and not before, millimetres or metres no longer matter: a factor in $L_i$ only adds a constant to $\ln L_i$. Two things to keep in mind: the method does not know which task *you* care about; and a task whose training error goes to 0 gets louder and louder.
#
# **GradNorm** (Chen et al. 2018, [arXiv 1711.02257](https://arxiv.org/abs/1711.02257)) balances the gradients themselves, $G_i = \lVert w_i g_i \rVert$ long. In every step:
#
# 1. compute how much each task has left to learn, compared with the others: $r_i = \frac{L_i / L_i(0)}{\text{mean of these}}$, with the loss $L_i(0)$ at the start;
# 2. set the length that each gradient should have, $\bar G\, r_i^{\alpha}$, with the mean $\bar G$ of all $G_i$;
# 3. take a step on the weights $w_i$ that brings $\sum_i \lvert G_i - \bar G\, r_i^{\alpha} \rvert$ down, then scale them all back to the sum $T$.
#
# With $\alpha = 0$ all gradients become equally long; with a larger one, slow tasks get more. (In the package the step is on the logarithms of the weights, so that they stay positive, and the gradients are those of the whole trunk; the paper takes the last shared layer, which is cheaper.)
#
# ## The code
# %% [markdown] lang="pl"
# Do 90° obie metody są zgodne. Dalej suma szkodzi zadaniu o krótszym gradiencie, gdy tylko jego długość jest mniejsza niż $\lvert \cos \varphi \rvert$ razy długość dłuższego; PCGrad nie szkodzi żadnemu, ale w stronę 180° prawie się już nie rusza.
#
# **Głośność.** PCGrad patrzy na kierunki. A jak wyrównać straty głośne i ciche? **Ważenie niepewnością** (ang. *uncertainty weighting*; Kendall i in. 2018, [arXiv 1705.07115](https://arxiv.org/abs/1705.07115)) wyprowadza wagi z wiarygodności (ang. *likelihood*). Załóżmy, że odpowiedzi zadania $i$ mają własny szum, $y = f_i(x) + \varepsilon$, gdzie $\varepsilon \sim \mathcal{N}(0, \sigma_i^2)$. Wtedy
#
# $$-\ln p(y \mid x) = \frac{(y - f_i(x))^2}{2 \sigma_i^2} + \frac12 \ln \sigma_i^2 + \frac12 \ln 2\pi .$$
#
# Szumu też się uczymy, w postaci $s_i = \ln \sigma_i^2$, bo ta może być dowolną liczbą. Uśrednij po przykładach, pomiń stałą i zsumuj po zadaniach; gdy $L_i$ to błąd średniokwadratowy,
#
# $$\frac12 \sum_i \big( e^{-s_i} L_i + s_i \big) .$$
#
# (Dla klasyfikacji Kendall i in. wyprowadzają w przybliżeniu $e^{-s_i} L_i + \frac12 s_i$, gdzie $L_i$ to entropia krzyżowa.) Gdzie ustali się $s_i$? Pochodna $\frac12 (1 - e^{-s_i} L_i)$ znika, gdy
#
# $$e^{s_i} = L_i, \qquad\text{a strata wynosi tam}\qquad \frac12 \sum_i \big( 1 + \ln L_i \big) .$$
#
# Wyuczona wariancja to więc po prostu obecna strata, a minimalizujemy **sumę logarytmów**; pień słyszy $\sum_i g_i / (2 L_i)$. Gdy $s_i$ już się ustalą, ale nie wcześniej, milimetry czy metry są bez znaczenia: czynnik w $L_i$ dodaje do $\ln L_i$ tylko stałą. Dwie rzeczy trzeba mieć na uwadze: metoda nie wie, na którym zadaniu *tobie* zależy; a zadanie, którego błąd treningowy dąży do 0, staje się coraz głośniejsze.
#
# **GradNorm** (Chen i in. 2018, [arXiv 1711.02257](https://arxiv.org/abs/1711.02257)) wyrównuje same gradienty, o długościach $G_i = \lVert w_i g_i \rVert$. W każdym kroku:
#
# 1. oblicz, ile każdemu zadaniu zostało do nauczenia w porównaniu z innymi: $r_i = \frac{L_i / L_i(0)}{\text{średnia z nich}}$, gdzie $L_i(0)$ to strata na początku;
# 2. ustal, jak długi powinien być każdy gradient: $\bar G\, r_i^{\alpha}$, gdzie $\bar G$ to średnia wszystkich $G_i$;
# 3. zrób krok zmieniający wagi $w_i$ tak, żeby zmniejszyć $\sum_i \lvert G_i - \bar G\, r_i^{\alpha} \rvert$, i przeskaluj je z powrotem do sumy $T$.
#
# Przy $\alpha = 0$ wszystkie gradienty stają się równie długie; przy większym wolne zadania dostają więcej. (W pakiecie krok zmienia logarytmy wag, żeby te pozostały dodatnie, a gradienty liczy się dla całego pnia; w artykule dla ostatniej wspólnej warstwy, co kosztuje mniej.)
#
# ## Kod

# %%
show_source(HardSharing.forward, pcgrad, UncertaintyWeighting.forward, UncertaintyWeighting.weights)

# %% [markdown] lang="en"
# The skills have different inputs; all pass through the trunk as one batch, and each head gets its part. `pcgrad` takes the gradients as rows of a matrix $(T, P)$; what each gradient is compared with are the *original* rows of the others. The *trainer*, `train_multitask`, draws in every step a batch of every task (64 examples, with replacement), combines by `method`, and steps with Adam, at a learning rate that falls from 0.02 to 0 along a cosine, for the $s_i$ at five times that. (As a check: for PCGrad a second library, TorchJD, Quinton & Rey 2024, [arXiv 2406.16232](https://arxiv.org/abs/2406.16232), comes to the same result, up to rounding.)
#
# ## The experiment: four skills of one arm
#
# A robot arm of two links, 0.5 and 0.4 m long, moves in a vertical plane and has to carry its own weight. It is shown a point, and can do four things about it: **reach** it with the hand; **hover** 20 cm above it; reach its **mirror** image on the other side of the shoulder; **point** at it with the forearm while the upper arm keeps still. In go six numbers, two angles, two velocities and the point; out come two torques, as shares of what the motors can do.
#
# For each skill there is an expert who knows the arm exactly: its mass, its inertia, gravity, friction. A student has $n$ **labels** for each skill: states in which the expert has said its torques. To learn from those is *behaviour cloning*. What might the skills share? Weight and inertia are the same for all; so is most of the geometry. What is not: where to go. And *mirror* is at work on the other side of the shoulder.
#
# The **error** is the mean squared one on 1000 new states, as a share of the variance of the expert's torques: 0 is perfect, 1 is what guessing the mean gets. Each network has a trunk with two layers of 64 and a linear head per skill, and trains for 600 steps. (A model that has learned in newton metres answers in newton metres; `error` divides its answer by the `unit` first. That comes later.)
#
# We compare: 20 labels of each skill, a network each (*apart*); the same labels, one network (*together*); 20 labels of the one skill and 1000 of each of the other three (*helped*); and 1000 of each, apart and together. At the end the students move the arm themselves, in MuJoCo: 64 new points, 2.5 seconds, and then the median distance of the hand from where it should be.
#
# The four postures about one point, the star:
# %% [markdown] lang="pl"
# Każda umiejętność ma inne wejścia; wszystkie przechodzą przez pień jako jedna paczka (ang. *batch*), a każda głowica dostaje swoją część. `pcgrad` bierze gradienty jako wiersze macierzy $(T, P)$; każdy gradient porównuje z *pierwotnymi* wierszami pozostałych. Trenuje funkcja `train_multitask`: w każdym kroku losuje paczkę z każdego zadania (64 przykłady, ze zwracaniem), łączy gradienty metodą `method` i robi krok optymalizatorem Adam, ze współczynnikiem uczenia, który maleje wzdłuż cosinusa od 0,02 do 0, a dla $s_i$ jest pięć razy większy. (Sprawdzenie: druga biblioteka, TorchJD, Quinton i Rey 2024, [arXiv 2406.16232](https://arxiv.org/abs/2406.16232), daje dla PCGrad ten sam wynik z dokładnością do zaokrągleń.)
#
# ## Eksperyment: cztery umiejętności jednego ramienia
#
# Ramię robota o dwóch członach, długości 0,5 i 0,4 m, porusza się w płaszczyźnie pionowej i musi unieść własny ciężar. Pokazujemy mu punkt, a ono umie z nim zrobić cztery rzeczy: sięgnąć do niego dłonią (**reach**); zawisnąć dłonią 20 cm nad nim (**hover**); sięgnąć do jego odbicia po drugiej stronie barku (**mirror**); wskazać go drugim członem, gdy pierwszy się nie rusza (**point**). Na wejściu jest sześć liczb: dwa kąty, dwie prędkości i punkt; na wyjściu dwa momenty sił, jako ułamki tego, co potrafią silniki.
#
# Każda umiejętność ma eksperta, który zna ramię dokładnie: masę, bezwładność, grawitację, tarcie. Uczeń ma do każdej umiejętności $n$ **etykiet**: stanów z momentami, które podał w nich ekspert. Uczenie się z nich to *klonowanie zachowań* (ang. *behaviour cloning*). Co umiejętności mogą mieć wspólnego? Ciężar i bezwładność są dla wszystkich te same; geometria w większej części też. Różni je to, dokąd iść. A *mirror* działa po drugiej stronie barku.
#
# **Błąd** to błąd średniokwadratowy na 1000 nowych stanów jako część wariancji momentów eksperta: 0 to ideał, a 1 ma ten, kto zgaduje średnią. Każda sieć ma pień z dwóch warstw po 64 i po liniowej głowicy na umiejętność, a trenuje się przez 600 kroków. (Model, który uczył się w niutonometrach, odpowiada w niutonometrach: `error` dzieli najpierw jego odpowiedź przez jednostkę, `unit`. Przyda się to później.)
#
# Porównujemy: 20 etykiet każdej umiejętności i osobne sieci (*osobno*); te same etykiety i jedna sieć (*razem*); 20 etykiet jednej umiejętności i po 1000 etykiet trzech pozostałych (*z pomocą*); oraz po 1000 etykiet każdej, osobno i razem. Na koniec uczniowie sami poruszają ramieniem, w MuJoCo: 64 nowe punkty, 2,5 sekundy, a potem mediana odległości dłoni od miejsca, w którym powinna być.
#
# Cztery postawy względem jednego punktu, gwiazdki:

# %%
goal, COLOURS = np.array([[0.5, -0.15]]), dict(zip(SKILLS, ("blue", "green", "red", "purple")))
fig, axes = plt.subplots(1, 4, figsize=(10, 2.9), sharey=True)
for ax, (skill, colour) in zip(axes, COLOURS.items()):
    ax.plot(*arm_points(target_angles(skill, goal)[0]).T, "o-", color=palette(colour), linewidth=4, markersize=7)
    ax.plot(*goal.T, "*", color=palette("black"), markersize=13)
    ax.set(title=skill, xlim=(-0.75, 0.75), ylim=(-0.75, 0.45), aspect="equal", xlabel="x, m")
axes[0].set_ylabel("z, m")
show(fig, alt=t("An arm of two links in four postures about the same point: its hand at it, above it, at its mirror image, and the forearm pointing at it.",
                "Dwuczłonowe ramię w czterech postawach względem tego samego punktu: dłoń w nim, nad nim, w jego odbiciu oraz przedramię, które go wskazuje."))


def labels(n):
    return {skill: demonstrations(skill, n, seed=SEED) for skill in SKILLS}


def train(data, width=64, **how):
    seed_everything(SEED)
    trunk = nn.Sequential(nn.Linear(6, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU())
    model = HardSharing(trunk, {skill: nn.Linear(width, 2) for skill in data})
    return model, train_multitask(model, data, lr=how.pop("lr", 0.02), seed=SEED, progress=False, **how)


unseen = {skill: demonstrations(skill, 1000, seed=SEED + 1000) for skill in SKILLS}


def error(model, skill, unit=1.0):
    inputs, actions = unseen[skill]
    with torch.no_grad():
        return (F.mse_loss(model({skill: inputs})[skill] / unit, actions) / actions.var(0).mean()).item()

# %% tags=["predict"]
guess = Prediction(
    t("*reach* has 20 labels. What share of its error does the help of 1000 labels of each *other* skill take away?",
      "*reach* ma 20 etykiet. Jaką część jego błędu usunie pomoc 1000 etykiet każdej *innej* umiejętności?"),
    low=-50, high=100, unit="%",
)
guess

# %%
few, many = labels(20), labels(1000)
together = {n: train(data, measure_every=20) for n, data in ((20, few), (1000, many))}
students = {
    t("apart, 20 labels", "osobno, 20 etykiet"): {skill: train({skill: few[skill]})[0] for skill in SKILLS},
    t("together, 20", "razem, 20"): dict.fromkeys(SKILLS, together[20][0]),
    t("helped, 20", "z pomocą, 20"): {skill: train(many | {skill: few[skill]})[0] for skill in SKILLS},
    t("apart, 1000", "osobno, 1000"): {skill: train({skill: many[skill]})[0] for skill in SKILLS},
    t("together, 1000", "razem, 1000"): dict.fromkeys(SKILLS, together[1000][0]),
}
errors = {name: [error(models[skill], skill) for skill in SKILLS] for name, models in students.items()}
table([(skill, *(row[i] for row in errors.values())) for i, skill in enumerate(SKILLS)], [t("error", "błąd"), *students])
few_apart, few_together, few_helped, many_apart, many_together = map(np.array, errors.values())
guess.compare(100 * (1 - few_helped[0] / few_apart[0]))

# %% [markdown] lang="en"
# What counts in the end is the movement. How far does the hand end from where it should be? And for *reach*, eight of the 64 points: the square is where the hand starts, the dotted line what it still lacks at the end.
#
# One seed says little. So below that the errors over ten seeds and four numbers of labels, recorded: means and 95 % intervals; both axes are logarithmic.
# %% [markdown] lang="pl"
# Na koniec liczy się ruch. Jak daleko od miejsca, w którym powinna być, kończy dłoń? A dla *reach* także rysunek, osiem z 64 punktów: kwadrat to miejsce, w którym dłoń zaczyna, a linia kropkowana to, ile jej na końcu zabrakło.
#
# Jedno ziarno losowości (ang. *seed*) mówi niewiele. Dlatego niżej są jeszcze błędy dla dziesięciu ziaren i czterech liczb etykiet, z zapisanych przebiegów: średnie i 95-procentowe przedziały ufności (ang. *confidence interval*); obie osie są logarytmiczne.

# %%
points = sample_points(64, np.random.default_rng(SEED + 1000))
ways = {name: {skill: attempt(lambda seen, m=models[skill], s=skill: m({s: seen})[s], points, seed=SEED) for skill in SKILLS} for name, models in students.items()}
missed = {name: [100 * np.median(misses(skill, points, path[-1])) for skill, path in paths.items()] for name, paths in ways.items()}
table([(skill, *(f"{row[i]:.1f}" for row in missed.values())) for i, skill in enumerate(SKILLS)], [t("distance at the end, cm", "odległość na końcu, cm"), *students])

# %%
fig, axes = plt.subplots(1, 3, figsize=(10, 3.6), sharey=True)
wanted = arm_points(target_angles("reach", points))[:8, 2]
for ax, name in zip(axes, ways):
    hands = arm_points(ways[name]["reach"][:, :8])[:, :, 2]
    ax.plot(*hands.transpose(2, 0, 1), color=palette("blue"), linewidth=1)
    ax.plot(*hands[0].T, "s", color=palette("grey"), markersize=5, label=t("where the hand starts", "gdzie dłoń zaczyna"))
    ax.plot(*hands[-1].T, "o", color=palette("blue"), markersize=6, label=t("where the hand ends", "gdzie dłoń kończy"))
    ax.plot(*np.stack([hands[-1], wanted]).transpose(2, 0, 1), ":", color=palette("red"), linewidth=1.5)
    ax.plot(*wanted.T, "*", color=palette("black"), markersize=11, label=t("where it should be", "gdzie powinna być"))
    ax.set(title=f"reach, {name}", xlabel="x, m", aspect="equal", xlim=(-0.95, 0.95), ylim=(-0.95, 0.95))
axes[0].set_ylabel("z, m")
axes[-1].legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize=9)
show(fig, alt=t("Eight paths of the hand towards eight points, for three students of reach with 20 labels: alone several end far off; together and with help most end close to the points.",
                "Osiem dróg dłoni do ośmiu punktów, dla trzech uczniów reach z 20 etykietami: w pojedynkę kilka kończy się daleko; razem i z pomocą większość kończy się blisko punktów."))

# %%
record = recorded("multi_task_learning")
results, budgets = record.results, record.results["labels"]


def per_skill(part):
    return np.array(part["error"])


at_few = {kind: per_skill(results[kind])[:, 0].mean(0) for kind in ("apart", "together", "helped")}
fig, axes = plt.subplots(1, 4, figsize=(11, 3.3), sharey=True)
KINDS = {"apart": (t("apart", "osobno"), "grey"), "together": (t("together", "razem"), "orange"), "helped": (t("helped", "z pomocą"), "blue")}
for i, (ax, skill) in enumerate(zip(axes, SKILLS)):
    for kind, (name, colour) in KINDS.items():
        runs = per_skill(results[kind])[:, :, i]
        band(ax, budgets[: runs.shape[1]], runs, name, colour)
    ax.set(title=skill, xlabel=t("labels", "etykiety"), xscale="log", yscale="log", xticks=budgets, xticklabels=budgets)
    ax.minorticks_off()
axes[0].set(ylabel=t("error", "błąd"), ylim=(0.003, 1), yticks=[0.01, 0.03, 0.1, 0.3], yticklabels=[0.01, 0.03, 0.1, 0.3])
axes[-1].legend(fontsize=9)
show(fig, alt=t("Error against the number of labels for four skills, apart, together and with help: with few labels sharing lies lower, but for mirror; at 1000 the lines meet.",
                "Błąd względem liczby etykiet dla czterech umiejętności, osobno, razem i z pomocą: przy niewielu etykietach niżej leży współdzielenie, z wyjątkiem mirror; przy 1000 linie się spotykają."))
record.note()

# %% [markdown] lang="en"
# With 20 labels of everything, sharing takes about a fifth off the error of *reach* and *hover*. With helpers that have plenty it pays well: *reach* and *hover* lose more than half of their error, *point* about a third, and on the whole the hand ends nearer. (Not always, and not in proportion: an error of torques counts all states alike, while the end of a movement depends mostly on the last ones.) The error of *mirror* gains nothing, though its hand, too, ends a little nearer. With more labels of its own a skill needs nobody: at 1000 none of them gains from the sum of the losses, and *point* even loses a little.
#
# **Who helps whom?** Take the skills in pairs: the *target* has 20 labels, the *partner* 1000, and nobody else takes part. The **transfer matrix** holds, for each pair, the share of its error that the target loses compared with learning alone; below 0 the partner harms, which is negative transfer. (In the matrix: blue is a gain, red a loss.)
# %% [markdown] lang="pl"
# Gdy każda umiejętność ma 20 etykiet, współdzielenie odejmuje *reach* i *hover* mniej więcej jedną piątą błędu. Gdy pomocnicy mają etykiet pod dostatkiem, opłaca się bardzo: błąd *reach* i *hover* spada o ponad połowę, *point* mniej więcej o jedną trzecią, a dłoń na ogół kończy bliżej. (Nie zawsze i nie w tej samej proporcji: błąd momentów liczy wszystkie stany jednakowo, a koniec ruchu zależy głównie od ostatnich.) Błąd *mirror* nie maleje, choć i jego dłoń kończy trochę bliżej. Umiejętność, która sama ma więcej etykiet, nie potrzebuje nikogo: przy 1000 etykiet żadna nie zyskuje na sumie strat, a *point* nawet trochę traci.
#
# **Kto komu pomaga?** Weź umiejętności parami: *cel* ma 20 etykiet, *partner* 1000 i nikt inny nie bierze udziału. **Macierz transferu** (ang. *transfer matrix*) podaje dla każdej pary, jaką część błędu umiejętność traci w porównaniu z nauką w pojedynkę; poniżej 0 partner szkodzi, czyli mamy transfer negatywny (ang. *negative transfer*). (Na rysunku niebieski to zysk, a czerwony strata.)

# %% tags=["predict"]
guess = Prediction(
    t("Which skill is the worst partner, on average over the others?", "Która umiejętność jest najgorszym partnerem, średnio dla pozostałych?"),
    list(SKILLS),
)
guess

# %%
transfer = results["transfer"]
gain = 100 * (1 - np.array(transfer["pair"], dtype=float) / np.array(transfer["alone"])[:, :, None])
mean, half = mean_interval(gain)
fig, ax = plt.subplots(figsize=(5.4, 3.6))
heat_map(ax, mean, SKILLS, SKILLS, form="{:+.0f} %", cmap="RdBu", vmin=-80, vmax=80)
for label in ax.texts:
    label.set_text(label.get_text().replace("+nan %", "–"))
for row, column in np.argwhere(np.abs(mean) > half):
    ax.text(column + 0.36, row - 0.22, "*", fontsize=12, ha="center", va="center")
ax.set(xlabel=t("partner, 1000 labels", "partner, 1000 etykiet"), ylabel=t("target, 20 labels", "cel, 20 etykiet"))
show(fig, alt=t("A matrix of gains in per cent, target by partner: reach, hover and point help each other, mirror helps hardly anyone and rather harms reach and hover.",
                "Macierz zysków w procentach, cel względem partnera: reach, hover i point pomagają sobie nawzajem, mirror nie pomaga prawie nikomu, a reach i hover raczej szkodzi."))
partners = np.nanmean(mean, 0)
guess.compare(int(partners.argmin()))
record.note()

# %% [markdown] lang="en"
# A star marks a mean whose 95 % interval leaves out 0. *reach* and *hover* help each other most: nearly the same postures for the same point. *point* helps them and is helped. *mirror* is the odd one out, on both sides of the bargain. For it the same point means a posture on the other side of the shoulder, with the opposite angles: its states lie mostly where the other skills hardly ever are, and that is probably why their trunk gives it little. What it gains cannot be told from 0. As a partner it rather harms: *hover* clearly, *reach* with an interval that still takes in 0. That is negative transfer. To have the same arm is not enough; **the skills must also be at work in similar states**. The names of the skills do not tell. It has to be measured, and anew for every case: Standley et al. 2020 ([arXiv 1905.07553](https://arxiv.org/abs/1905.07553)) found, for five tasks on pictures of rooms, that it also depends on the size of the network and on the amount of data.
#
# **Does gradient conflict foretell it?** In every twentieth step we took the gradients of the four skills for the weights of the trunk, and the share of the six pairs with $\cos \varphi < 0$: on the left its mean over the training, with a 95 % interval over the seeds. On the right, for 20 labels and each pair, the mean cosine over the whole training, and what the two gain from each other in the transfer matrix, on average.
# %% [markdown] lang="pl"
# Gwiazdka oznacza średnią, której 95-procentowy przedział ufności nie zawiera 0. Najbardziej pomagają sobie *reach* i *hover*: dla tego samego punktu mają prawie te same postawy. *point* pomaga im i sam na tym zyskuje. Z boku stoi *mirror*, i jako cel, i jako partner. Ten sam punkt oznacza dla niego postawę po drugiej stronie barku, z przeciwnymi kątami: jego stany leżą w większości tam, gdzie pozostałe umiejętności prawie nie bywają, i prawdopodobnie dlatego ich pień mało mu daje: tego, co zyskuje, nie da się odróżnić od zera. Jako partner raczej szkodzi: wyraźnie *hover*, a przy *reach* przedział obejmuje jeszcze 0. To transfer negatywny. To samo ramię nie wystarczy; **umiejętności muszą też działać w podobnych stanach**. Z nazw umiejętności tego nie widać. Trzeba zmierzyć, i to za każdym razem od nowa: Standley i in. 2020 ([arXiv 1905.07553](https://arxiv.org/abs/1905.07553)) stwierdzili dla pięciu zadań na zdjęciach wnętrz, że zależy to też od wielkości sieci i od ilości danych.
#
# **Czy konflikt gradientów to zapowiada?** Co dwudziesty krok wzięliśmy gradienty czterech umiejętności względem wag pnia i policzyliśmy, jaka część z sześciu par ma $\cos \varphi < 0$: po lewej średnia z całego treningu, z 95-procentowym przedziałem ufności dla ziaren losowości. Po prawej, dla 20 etykiet i każdej pary: średni cosinus z całego treningu oraz to, ile obie umiejętności średnio zyskują na sobie w macierzy transferu.

# %%
conflicts = results["conflict"]
CASES = {"few": (t("20 labels:\nsharing helps", "20 etykiet:\nwspółdzielenie\npomaga"), "blue"), "many": (t("1000 labels:\nhardly a\ndifference", "1000 etykiet:\nprawie\nbez różnicy"), "grey"),
         "units": (t("one skill\ntoo loud:\nit harms", "jedna\nza głośna:\nszkodzi"), "red")}
shares = {case: np.array(conflicts[case]["share"]) for case in CASES}
fig, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8))
for place, (case, (_, colour)) in enumerate(CASES.items()):
    left.errorbar(place, *mean_interval(shares[case].mean(1)), fmt="o", color=palette(colour), capsize=5)
left.set(xticks=range(3), xticklabels=[name for name, _ in CASES.values()], xlim=(-0.5, 2.5), ylabel=t("share of pairs in conflict", "udział par w konflikcie"), ylim=(0, 0.6))
cosines = np.array(conflicts["few"]["cosines"]).mean((0, 1))
mutual = [(mean[i, j] + mean[j, i]) / 2 for i, j in combinations(range(4), 2)]
for (one, other), x, y in zip(combinations(SKILLS, 2), cosines, mutual):
    right.plot(x, y, "o", color=palette("red" if "mirror" in (one, other) else "blue"))
    if "mirror" not in (one, other):
        right.annotate(f"{one}, {other}", (x, y), xytext=(7, -10 if one == "hover" else 4), textcoords="offset points", fontsize=9)
right.annotate(t("three pairs with mirror", "trzy pary z mirror"), (cosines[1], mutual[1]), xytext=(12, 0), textcoords="offset points", fontsize=9)
right.axhline(0, color=palette("black"), linewidth=1)
right.set(xlabel=t("mean cosine, 20 labels", "średni cosinus, 20 etykiet"), ylabel=t("mutual gain, %", "wzajemny zysk, %"), xlim=(-0.05, 0.4))
show(fig, alt=t("Left, the share of pairs in conflict in three cases: all near 0.4, the last a little higher. Right, six pairs of skills: the larger the mean cosine of their gradients, the larger their mutual gain.",
                "Po lewej udział par w konflikcie w trzech przypadkach: wszędzie około 0,4, w ostatnim trochę więcej. Po prawej sześć par umiejętności: im większy średni cosinus ich gradientów, tym większy wzajemny zysk."))
record.note()
table([(n, conflict_share(history["cosines"])) for n, (_, history) in together.items()], [t("live: labels", "na żywo: etykiety"), t("share in conflict, all steps", "udział w konflikcie, wszystkie kroki")])

# %% [markdown] lang="en"
# **Of all pairs together, the share tells little.** At any time some four pairs in ten are in conflict, whether sharing helps or makes hardly a difference; where it harms, as you are about to see, the share is a little higher. A single batch is mostly noise: gradients that have nothing to do with each other conflict half of the time, by the toss of a coin. **Averaged, for each pair by itself, the cosine tells more**: *reach* and *hover* have the largest and gain most from each other, the two pairs with *point* lie in the middle, the three with *mirror* at 0. And what marks *mirror* is not conflict: to have nothing in common is enough to gain nothing, and to be in the way where labels are few.
#
# ## When it fails
#
# **One teacher shouts.** Someone has logged the torques of *point* in newton metres instead of as shares of the motors' 20 and 8 N m: its errors are 20 and 8 times larger, its squared loss 64 to 400 times. 1000 labels of each skill, so there is little to gain from sharing, and much to lose. Against it: a fixed weight of 0.03 for *point*, the best of 1, 0.1, 0.03 and 0.01 on another seed (to undo the scale alone would take 1/400 for the shoulder and 1/64 for the elbow); uncertainty weighting; GradNorm, with $\alpha = 0.5$; PCGrad.
# %% [markdown] lang="pl"
# **Udział liczony dla wszystkich par razem mówi niewiele.** W konflikcie są stale mniej więcej cztery pary na dziesięć, czy współdzielenie pomaga, czy prawie nie robi różnicy; tam, gdzie szkodzi, co zaraz zobaczysz, udział jest trochę większy. Pojedyncza paczka to głównie szum: gradienty, które nie mają ze sobą nic wspólnego, są w konflikcie w połowie przypadków, jak w rzucie monetą. **Więcej mówi cosinus uśredniony osobno dla każdej pary**: *reach* i *hover* mają największy i najwięcej na sobie zyskują, dwie pary z *point* są pośrodku, a trzy pary z *mirror* przy zerze. A tym, co wyróżnia *mirror*, nie jest konflikt: wystarczy nie mieć nic wspólnego, żeby nic nie zyskać, a przy niewielu etykietach zawadzać.
#
# ## Kiedy to zawodzi
#
# **Jeden nauczyciel krzyczy.** Ktoś zapisał momenty umiejętności *point* w niutonometrach zamiast jako ułamki największych momentów silników, 20 i 8 N m: jej błędy są 20 i 8 razy większe, a strata kwadratowa od 64 do 400 razy. Każda umiejętność ma 1000 etykiet, więc na współdzieleniu niewiele można zyskać, za to dużo stracić. Środki zaradcze: stała waga dla *point*, 0,03, najlepsza z wartości 1, 0,1, 0,03 i 0,01 na innym ziarnie losowości (samo odwrócenie skali dałoby 1/400 dla barku i 1/64 dla łokcia); ważenie niepewnością; GradNorm, z $\alpha = 0{,}5$; PCGrad.

# %% tags=["predict"]
guess = Prediction(
    t("Which of them takes at least 30 % off the error of the other three skills? (Leave GradNorm aside.)", "Co zmniejszy błąd trzech pozostałych umiejętności o co najmniej 30 %? (GradNorm pomiń.)"),
    [t("PCGrad only", "tylko PCGrad"), t("a fixed weight only", "tylko stała waga"), t("a fixed weight and uncertainty weighting, but not PCGrad", "stała waga i ważenie niepewnością, ale nie PCGrad"), t("nothing of all that", "nic z tego")],
)
guess

# %%
unit = torch.tensor(STRONGEST).float()
logged = many | {"point": (many["point"][0], many["point"][1] * unit)}
remedies = {"sum": {}, "weighted": {"weights": {"point": 0.03}}, "uncertainty": {"method": "uncertainty"}, "gradnorm": {"method": "gradnorm"}, "pcgrad": {"method": "pcgrad"}}
TITLES = {"apart": t("apart", "osobno"), "sum": t("sum", "suma"), "weighted": t("sum, weight 0.03", "suma, waga 0.03"), "uncertainty": t("uncertainty weighting", "ważenie niepewnością"), "gradnorm": "GradNorm", "pcgrad": "PCGrad"}


def units(skill):
    return unit if skill == "point" else 1.0


loud = {method: train(logged, **how)[0] for method, how in remedies.items()}
loud_errors = {method: [error(model, skill, units(skill)) for skill in SKILLS] for method, model in loud.items()}


def others(part):
    return per_skill(part)[:, :3].mean(1)


table([(TITLES[method], *row, mean_pm(others(results["units"][method]), 4)) for method, row in loud_errors.items()],
      [t("error", "błąd"), *SKILLS, t("recorded: mean of the first three", "zapisane: średnia z trzech pierwszych")])
rest = {method: np.mean(row[:3]) for method, row in loud_errors.items()}
mended = tuple(rest[method] < 0.7 * rest["sum"] for method in ("pcgrad", "weighted", "uncertainty"))
guess.compare({(True, False, False): 0, (False, True, False): 1, (False, True, True): 2}.get(mended, 3))
record.note()

# %% [markdown] lang="en"
# With the plain sum *point* is learned splendidly, and the other three twice as badly as they could be, or worse. The fixed weight repairs that, at the price of four trial runs; uncertainty weighting repairs it without any. PCGrad does not: without a conflict it *is* the plain sum, and with one it lengthens the quiet gradient only by the part $\lvert \cos \varphi \rvert$ of the loud one's length, which is little where the cosines are small. It looks at directions, and the trouble is a length. GradNorm helps only in part, and *point* pays for it.
#
# **A fair opponent.** Is uncertainty weighting simply better, then? Look at the setting where no unit is wrong, 1000 labels each, and compare at four learning rates; the last row has 20 labels each. (In the recorded runs; the number is the mean error of the four skills.)
# %% [markdown] lang="pl"
# Przy zwykłej sumie *point* wychodzi znakomicie, a pozostałe trzy dwa razy gorzej, niż mogłyby, albo jeszcze gorzej. Stała waga to naprawia, ale kosztuje cztery próbne przebiegi; ważenie niepewnością naprawia to bez żadnego. PCGrad nie: bez konfliktu *jest* zwykłą sumą, a przy konflikcie wydłuża cichy gradient tylko o część $\lvert \cos \varphi \rvert$ długości głośnego, czyli o niewiele, gdy cosinusy są małe. Patrzy na kierunki, a kłopot tkwi w długości. GradNorm pomaga tylko częściowo, a płaci za to *point*.
#
# **Uczciwy przeciwnik.** Czy ważenie niepewnością jest więc po prostu lepsze? Spójrz na warunki, w których z jednostkami wszystko jest w porządku, po 1000 etykiet, i porównaj wyniki przy czterech współczynnikach uczenia; w ostatnim wierszu jest po 20 etykiet. (W zapisanych przebiegach; liczba to średni błąd czterech umiejętności.)

# %%
rates, static = results["rates"], per_skill(results["static"]["0.1"]).mean(1)
at_rate, alone = {method: np.array(rates[method]) for method in ("sum", "pcgrad", "uncertainty")}, dict(zip(budgets, per_skill(results["apart"]).mean(2).T))
rows = [(str(lr), *(mean_pm(runs[:, i], 4) for runs in at_rate.values()), *(mean_pm(runs, 4) if lr == rates["tuned"] else None for runs in (static, alone[1000]))) for i, lr in enumerate(rates["lr"])]
rows.append((t("{}, 20 labels", "{}, 20 etykiet").format(rates["tuned"]), *(mean_pm(per_skill(results["methods"]["20"][method]).mean(1)) for method in at_rate), None, mean_pm(alone[20])))
table(rows, [t("learning rate", "współczynnik"), *(TITLES[method] for method in at_rate), t("sum, N m × 0.1", "suma, N m × 0.1"), TITLES["apart"]])
record.note()

# %% [markdown] lang="en"
# Uncertainty weighting stays ahead at every rate, and it clearly beats four networks *apart*, which the plain sum and PCGrad do not; whether that is the gain of sharing or only of larger steps we do not know. A better rate hardly helps the sum; weights help it more. (The fourth column of numbers: in newton metres, weighted with 0.1, *point* still counts for more than in its right units, and the sum is the better for it. The weight is the best of three on these very runs, which flatters it.) Part of the lead remains. The weights $1 / (2 L_i)$ grow about ten-thousandfold while the losses fall; Adam divides a gradient by its recent typical size, so that falling gradients shorten its steps, and growing weights make up for that. It probably helps where labels are many and without noise. With 20 labels each the method is no longer ahead but behind the sum, and no better than four networks apart: the network knows them by heart, the training errors sink towards 0, and the weights run away, as the theory warned. PCGrad is hardly better than the plain sum, at the price of a backward pass for each task.
#
# **Too little room.** Four skills in a trunk of 64 units have room enough. With 8 units in each layer they compete for them, and no weight makes a trunk larger. (*apart* means four such trunks, which together have four times as many weights.)
# %% [markdown] lang="pl"
# Ważenie niepewnością prowadzi przy każdym współczynniku i wyraźnie wygrywa z czterema osobnymi sieciami, co zwykłej sumie i PCGrad się nie udaje; czy to zysk ze współdzielenia, czy tylko z większych kroków, nie wiemy. Sumie lepszy współczynnik prawie nie pomaga, bardziej pomagają wagi. (Czwarta kolumna liczb: w niutonometrach, z wagą 0,1, *point* wciąż liczy się bardziej niż w swoich właściwych jednostkach i sumie wychodzi to na dobre. To najlepsza z trzech wag na tych właśnie przebiegach, co jej pochlebia.) Część przewagi zostaje. Wagi $1 / (2 L_i)$ rosną mniej więcej dziesięć tysięcy razy, gdy straty maleją; Adam dzieli gradient przez jego niedawną typową wielkość, więc przy malejących gradientach kroki się skracają, a rosnące wagi temu przeciwdziałają. Prawdopodobnie to pomaga, gdy etykiet jest dużo i są bez szumu. Przy 20 etykietach metoda już nie prowadzi, tylko przegrywa z sumą i nie jest lepsza niż osobne sieci: sieć umie je na pamięć, błędy treningowe spadają w stronę 0, a wagi uciekają, jak ostrzegała teoria. PCGrad jest ledwie lepszy niż zwykła suma, za cenę osobnego przejścia wstecz dla każdego zadania.
#
# **Za mało miejsca.** Cztery umiejętności w pniu o 64 neuronach mają dość miejsca. Gdy w każdej warstwie jest ich 8, rywalizują o nie, a żadna waga nie powiększy pnia. (*osobno* to cztery takie pnie, które mają razem cztery razy więcej wag.)

# %%
narrow = {"apart": {skill: train({skill: many[skill]}, width=8)[0] for skill in SKILLS}}
for method in ("sum", "pcgrad", "uncertainty"):
    narrow[method] = dict.fromkeys(SKILLS, train(many, width=8, **remedies[method])[0])
narrow_errors = {method: np.mean([error(models[skill], skill) for skill in SKILLS]) for method, models in narrow.items()}
table([(TITLES[method], value, *(mean_pm(column) for column in per_skill(results["narrow"][method]).T)) for method, value in narrow_errors.items()],
      [t("error, 8 units", "błąd, 8 neuronów"), t("live: mean", "na żywo: średnia"), *(t("recorded: {}", "zapisane: {}").format(skill) for skill in SKILLS)])

# %% [markdown] lang="en"
# In the narrow trunk sharing harms: four trunks of 8 do better than one, whatever the method. Uncertainty weighting wins more than half of the loss back, for *reach* and *hover* all of it; *mirror* and *point* pay. Weights can only share out the room there is; with 64 units the same sharing cost little.
#
# **What the papers reported.** Kendall et al. 2018 trained one network on street scenes for semantic segmentation, instance segmentation and depth. On the first (intersection over union, small Cityscapes images) a network of its own reached 59.4 %, the plain sum of the three losses 50.1 %, weights from a long search 62.8 %, learned ones 63.4 %: sharing harmed as long as the scales were wrong, and helped once they were right. Yu et al. 2020 report clear gains for PCGrad on image tasks and above all in reinforcement learning on the tasks of Meta-World. Two later comparisons are more sober. Kurin et al. 2022 ([arXiv 2201.04122](https://arxiv.org/abs/2201.04122)) find that the plain sum, with the usual regularisation, does as well as all specialised methods they tried, in supervised and in reinforcement learning; Xin et al. 2022 ([arXiv 2209.11379](https://arxiv.org/abs/2209.11379)) that none gets past the compromises which weighted sums reach. Our four skills are tiny beside all of these. PCGrad gained next to nothing on them, either; weighting by the loss did gain, though less the better the sum was tuned. **Repair the scales, tune the opponent, and only then look for something cleverer.**
#
# ## In robotics
#
# **One arm, many skills.** MT-Opt (Kalashnikov et al. 2021, [arXiv 2104.08212](https://arxiv.org/abs/2104.08212)) trained one network for twelve manipulation tasks on real robot arms, with data that seven of them had collected: lifting things of a certain kind, placing, covering, aligning. An attempt at one task also serves as an example for the others, and tasks that were tried seldom live on the data of those tried often. The counterpart in simulation is Meta-World (Yu et al. 2019, [arXiv 1910.10897](https://arxiv.org/abs/1910.10897)), fifty tasks of one robot arm. Its authors found that the algorithms of the time had trouble with as few as ten tasks at once: sharing is not free.
#
# **One camera, many questions.** A car asks of the same picture where the road is, where other cars are, what kind of road it is. MultiNet (Teichmann et al. 2016, [arXiv 1612.07695](https://arxiv.org/abs/1612.07695)) answers all three with one encoder and a decoder for each, at more than 23 pictures a second: the encoder, by far the most expensive part, runs once. On board that alone is reason enough to share, even where no task learns better for it.
# %% [markdown] lang="pl"
# W wąskim pniu współdzielenie szkodzi: cztery pnie po 8 neuronów są lepsze niż jeden, bez względu na metodę. Ważenie niepewnością odzyskuje ponad połowę straty, dla *reach* i *hover* całą; płacą *mirror* i *point*. Wagi mogą tylko rozdzielić to miejsce, które jest; przy 64 neuronach to samo współdzielenie kosztowało niewiele.
#
# **Co wyszło w artykułach.** Kendall i in. 2018 trenowali jedną sieć na scenach ulicznych: segmentacja semantyczna, segmentacja instancji i głębia. W pierwszej (miara *intersection over union*, małe obrazy Cityscapes) osobna sieć osiągnęła 59,4 %, zwykła suma trzech strat 50,1 %, wagi po długich poszukiwaniach 62,8 %, a wyuczone 63,4 %: współdzielenie szkodziło, dopóki skale były złe, i pomogło, gdy były dobre. Yu i in. 2020 podają wyraźne zyski z PCGrad na zadaniach z obrazami, a przede wszystkim w uczeniu ze wzmocnieniem (ang. *reinforcement learning*) na zadaniach Meta-World. Dwa późniejsze porównania studzą ten zapał. Kurin i in. 2022 ([arXiv 2201.04122](https://arxiv.org/abs/2201.04122)) stwierdzają, że zwykła suma z typową regularyzacją jest równie dobra jak wszystkie wypróbowane metody wyspecjalizowane, w uczeniu nadzorowanym i ze wzmocnieniem; Xin i in. 2022 ([arXiv 2209.11379](https://arxiv.org/abs/2209.11379)), że żadna nie wychodzi poza kompromisy, do których dochodzą sumy ważone. Nasze cztery umiejętności są przy tym wszystkim maleńkie. PCGrad też prawie nic na nich nie zyskał; ważenie stratą zyskało, choć tym mniej, im lepiej dobrano ustawienia sumy. **Napraw skale, dobierz ustawienia przeciwnika, a dopiero potem szukaj czegoś sprytniejszego.**
#
# ## W robotyce
#
# **Jedno ramię, wiele umiejętności.** MT-Opt (Kalashnikov i in. 2021, [arXiv 2104.08212](https://arxiv.org/abs/2104.08212)) to jedna sieć wytrenowana do dwunastu zadań manipulacji na prawdziwych ramionach robotów, na danych zebranych przez siedem z nich: podnoszenie rzeczy określonego rodzaju, odkładanie, przykrywanie, wyrównywanie. Próba wykonania jednego zadania służy też za przykład dla innych, a zadania próbowane rzadko korzystają z danych tych próbowanych często. Odpowiednikiem w symulacji jest Meta-World (Yu i in. 2019, [arXiv 1910.10897](https://arxiv.org/abs/1910.10897)), pięćdziesiąt zadań jednego ramienia robota. Jego autorzy stwierdzili, że ówczesne algorytmy miały kłopoty już z dziesięcioma zadaniami naraz: współdzielenie nie daje niczego za darmo.
#
# **Jedna kamera, wiele pytań.** Samochód pyta ten sam obraz, gdzie jest droga, gdzie są inne samochody i jakiego rodzaju to ulica. MultiNet (Teichmann i in. 2016, [arXiv 1612.07695](https://arxiv.org/abs/1612.07695)) odpowiada na wszystkie trzy pytania jednym enkoderem i osobnym dekoderem do każdego, ponad 23 razy na sekundę: enkoder, zdecydowanie najdroższa część, działa raz. Na pokładzie już to wystarczy, żeby dzielić sieć, nawet jeśli żadne zadanie nie uczy się dzięki temu lepiej.

# %% [markdown] lang="en"
# ## Exercises
#
# **1. PCGrad for two tasks.** `g1` and `g2` are vectors, the gradients of two tasks. Return the combined gradient $d$, without the package's function. Mind the case without a conflict.
# %% [markdown] lang="pl"
# ## Ćwiczenia
#
# **1. PCGrad dla dwóch zadań.** `g1` i `g2` to wektory, gradienty dwóch zadań. Zwróć połączony gradient $d$, nie używając funkcji z pakietu. Pamiętaj o przypadku bez konfliktu.

# %% tags=["exercise"]
def surgery(g1, g2):
    return ...


# %% [markdown] lang="en" tags=["hint"]
# Compute `g1 @ g2` first. If it is negative, subtract `(g1 @ g2) / (g2 @ g2) * g2` from `g1`, and `(g1 @ g2) / (g1 @ g1) * g1` from `g2`; both times with the *original* `g1` and `g2`.
# %% [markdown] lang="pl" tags=["hint"]
# Najpierw oblicz `g1 @ g2`. Jeśli wynik jest ujemny, odejmij od `g1` wektor `(g1 @ g2) / (g2 @ g2) * g2`, a od `g2` wektor `(g1 @ g2) / (g1 @ g1) * g1`; w obu wzorach użyj *pierwotnych* `g1` i `g2`.

# %% tags=["check"]
check("pcgrad", surgery)


# %% tags=["solution"]
def surgery(g1, g2):
    if g1 @ g2 >= 0:
        return g1 + g2
    return (g1 - (g1 @ g2) / (g2 @ g2) * g2) + (g2 - (g1 @ g2) / (g1 @ g1) * g1)


# %% [markdown] lang="en"
# **2. The weighted loss.** `losses` holds the mean squared errors $L_i$ of several regression tasks, `s` the learned $s_i = \ln \sigma_i^2$; both have the shape $(T,)$. Return the loss of uncertainty weighting, one number, so that a gradient flows back to both.
# %% [markdown] lang="pl"
# **2. Strata ważona.** `losses` to błędy średniokwadratowe $L_i$ kilku zadań regresji, a `s` to uczone $s_i = \ln \sigma_i^2$; oba mają kształt $(T,)$. Zwróć stratę ważenia niepewnością, jedną liczbę, tak żeby gradient wracał do obu.

# %% tags=["exercise"]
def weighted_loss(losses, s):
    return ...


# %% [markdown] lang="en" tags=["hint"]
# `torch.exp(-s)` is $1 / \sigma_i^2$. Both terms have the factor ½.
# %% [markdown] lang="pl" tags=["hint"]
# `torch.exp(-s)` to $1 / \sigma_i^2$. Oba składniki mają czynnik ½.

# %% tags=["check"]
check("uncertainty", weighted_loss)


# %% tags=["solution"]
def weighted_loss(losses, s):
    return 0.5 * (torch.exp(-s) * losses + s).sum()


# %% [markdown] lang="en"
# ## Quiz
# %% [markdown] lang="pl"
# ## Quiz

# %% tags=["quiz"]
quiz(
    Quiz(
        t("One of four regression losses is measured in millimetres instead of metres from now on. Which method notices nothing, once its weights have settled?",
          "Jedną z czterech strat regresji liczysz odtąd w milimetrach zamiast w metrach. Która metoda tej zmiany nie zauważy, gdy jej wagi już się ustalą?"),
        [
            (t("The plain sum.", "Zwykła suma."), False,
             t("Its gradient is now almost entirely that of the one task.", "Jej gradient jest teraz niemal wyłącznie gradientem tego jednego zadania.")),
            (t("PCGrad: it looks at directions.", "PCGrad: patrzy na kierunki."), False,
             t("The cosine stays, but then the gradients are added with their lengths; and without a conflict PCGrad is the plain sum.", "Cosinus zostaje, ale potem gradienty dodaje się razem z ich długościami; a bez konfliktu PCGrad to zwykła suma.")),
            (t("Uncertainty weighting.", "Ważenie niepewnością."), True,
             t("Yes: $\\ln (10^6 L) = \\ln L + \\text{const}$, so the trunk hears the same.", "Tak: $\\ln (10^6 L) = \\ln L + \\text{const}$, więc pień słyszy to samo.")),
        ],
    ),
    Quiz(
        t("$g_1 = (2, 0)$ and $g_2 = (-1, 0)$. What does PCGrad do?", "$g_1 = (2, 0)$, a $g_2 = (-1, 0)$. Co zrobi PCGrad?"),
        [
            (t("It steps against $(1, 0)$.", "Zrobi krok przeciwnie do $(1, 0)$."), False,
             t("That is the plain sum, which harms task 2.", "To zwykła suma, która szkodzi zadaniu 2.")),
            (t("Nothing: both projections are 0.", "Nic: oba rzuty są zerami."), True,
             t("Yes: the gradients are opposite, this is a point of the Pareto front, and PCGrad stays, although the sum could still fall.", "Tak: gradienty są przeciwne, to punkt frontu Pareto i PCGrad zostaje, choć suma mogłaby jeszcze zmaleć.")),
            (t("It turns to the second coordinate.", "Skręci w stronę drugiej współrzędnej."), False,
             t("Neither gradient has a part in that direction, so no weighted sum has.", "Żaden z gradientów nie ma składowej w tym kierunku, więc nie ma jej też żadna suma ważona.")),
        ],
    ),
    Quiz(
        t("With uncertainty weighting one task's training error sinks to a thousandth, for the network knows its few examples by heart. What becomes of its weight?",
          "Przy ważeniu niepewnością błąd treningowy jednego zadania spada do tysięcznej części, bo sieć umie jego nieliczne przykłady na pamięć. Co stanie się z jego wagą?"),
        [
            (t("It falls: the task is done.", "Spadnie: zadanie jest już opanowane."), False,
             t("That is what one would wish for; but a small error is taken for small noise.", "Tego by się chciało; ale mały błąd uchodzi za mały szum.")),
            (t("It grows about a thousandfold.", "Wzrośnie mniej więcej tysiąc razy."), True,
             t("Yes: $e^{-s} = 1 / L$. The method takes memorised examples for reliable ones.", "Tak: $e^{-s} = 1 / L$. Metoda bierze przykłady wykute na pamięć za wiarygodne.")),
            (t("It stays: $s$ belongs to the data.", "Zostanie: $s$ należy do danych."), False,
             t("$s$ is learned from the training loss, and follows it.", "$s$ uczy się ze straty treningowej i podąża za nią.")),
        ],
    ),
    Quiz(
        t("A paper's new way to combine gradients beats the sum of the losses by three points. What do you look for first?",
          "Nowy sposób łączenia gradientów pokonuje w artykule sumę strat o trzy punkty. Czego szukasz najpierw?"),
        [
            (t("The proof that it converges.", "Dowodu zbieżności."), False,
             t("It may converge to a worse compromise; you have seen PCGrad come to rest wherever it meets the front.", "Może zbiegać do gorszego kompromisu; jak było widać, PCGrad zatrzymuje się tam, gdzie trafi na front.")),
            (t("How well a weighted sum does whose weights and learning rate were tuned with the same effort, over several seeds.", "Jak wypada suma ważona, której wagi i współczynnik uczenia dobrano z takim samym nakładem, na kilku ziarnach losowości."), True,
             t("Yes; in two large comparisons that was enough to catch up.", "Tak; w dwóch dużych porównaniach to wystarczyło, żeby nadrobić różnicę.")),
            (t("Whether the gradients conflict at all.", "Czy gradienty w ogóle są w konflikcie."), False,
             t("Good to know, but conflict alone costs nothing: at a compromise the gradients are always opposed.", "Warto wiedzieć, ale sam konflikt nic nie kosztuje: w punkcie kompromisu gradienty zawsze są przeciwne.")),
        ],
    ),
)

# %% [markdown] lang="en"
# ## What we saw
#
# - In hard parameter sharing the trunk hears $\sum_i w_i g_i$, so the scale of a loss decides who is heard: one skill in other units was enough for the other three to be learned far worse than need be.
# - Uncertainty weighting comes from a Gaussian likelihood; at its optimum $e^{s_i} = L_i$, so it minimises $\frac12 \sum_i \ln L_i$, and once the $s_i$ have settled units do not matter.
# - PCGrad projects away what conflicts. By hand $(4, 0)$ and $(-1, 1)$ gave $(2, 3)$, with which both gain. It is a weighted sum that raises the shorter gradient, and it rests wherever it first meets the Pareto front.
# - With 20 labels related skills helped each other, most where the helpers had plenty; with 1000 nobody needed help. The transfer matrix says which skills are related: to have the same arm is not enough. The mean cosine of two skills' gradients agreed with it; the share of conflicts over all pairs said little.
# - Sharing harms where scales are wrong, which weights repair, and where the trunk is too small, which no method repaired. The opponent to beat is a weighted sum with a tuned learning rate.
#
# The numbers of this run and of the recorded ones have to bear this out:
# %% [markdown] lang="pl"
# ## Podsumowanie
#
# - Przy twardym współdzieleniu parametrów pień słyszy $\sum_i w_i g_i$, więc o tym, kogo słychać, decyduje skala straty: wystarczyła jedna umiejętność w innych jednostkach, żeby pozostałe trzy wyszły o wiele gorzej, niż mogły.
# - Ważenie niepewnością bierze się z funkcji wiarygodności rozkładu normalnego; w optimum $e^{s_i} = L_i$, więc minimalizuje ono $\frac12 \sum_i \ln L_i$, a gdy $s_i$ się ustalą, jednostki nie mają znaczenia.
# - PCGrad usuwa rzutem to, co jest w konflikcie. Ręcznie z $(4, 0)$ i $(-1, 1)$ wyszło $(2, 3)$, na czym zyskują oba zadania. To suma ważona, która wzmacnia krótszy gradient, a zatrzymuje się tam, gdzie pierwszy raz trafi na front Pareto.
# - Przy 20 etykietach pokrewne umiejętności sobie pomagały, najbardziej wtedy, gdy pomocnicy mieli ich pod dostatkiem; przy 1000 nikt nie potrzebował pomocy. Które umiejętności są pokrewne, mówi macierz transferu: to samo ramię nie wystarczy. Zgadzał się z nią średni cosinus gradientów dwóch umiejętności; udział konfliktów liczony dla wszystkich par razem mówił niewiele.
# - Współdzielenie szkodzi tam, gdzie skale są złe, co naprawiają wagi, i tam, gdzie pień jest za mały, czego nie naprawiła żadna metoda. Przeciwnik do pokonania to suma ważona z dobranym współczynnikiem uczenia.
#
# Liczby z tego uruchomienia i z zapisanych przebiegów muszą to potwierdzać:

# %% tags=["claim"]
claim(t("By hand: distance of PCGrad's result from (2, 3)", "Ręcznie: odległość wyniku PCGrad od (2, 3)"), (combined(PAIR)["PCGrad"] - torch.tensor([2.0, 3.0])).norm(), at_most=1e-6)
claim(t("TorchJD, recorded: largest difference, four tasks", "TorchJD, zapisane: największa różnica, cztery zadania"), recorded("multi_task_peers").results["4"]["difference"], at_most=1e-9)
claim(t("Two bowls: largest distance between two ends of the sum", "Dwie misy: największa odległość dwóch końców sumy"), torch.pdist(trails["sum"][:, -1]).max(), at_most=0.01)
claim(t("The same for PCGrad", "To samo dla PCGrad"), torch.pdist(trails["PCGrad"][:, -1]).max(), at_least=1)
claim(t("20 labels: error of reach and hover with help, as a share of that apart", "20 etykiet: błąd reach i hover z pomocą jako część błędu osobno"), (few_helped / few_apart)[:2].mean(), at_most=0.8)
claim(t("The same, recorded", "To samo, zapisane"), (at_few["helped"] / at_few["apart"])[:2].max(), at_most=0.5)
claim(t("The same for point", "To samo dla point"), (at_few["helped"] / at_few["apart"])[3], at_most=0.75)
claim(t("Recorded, 20 labels: error of reach and hover together, as a share of that apart", "Zapisane, 20 etykiet: błąd reach i hover razem jako część błędu osobno"), (at_few["together"] / at_few["apart"])[:2].max(), at_most=0.85)
claim(t("1000 labels: mean error together, as a share of that apart", "1000 etykiet: średni błąd razem jako część błędu osobno"), many_together.mean() / many_apart.mean(), at_most=1.6)
claim(t("20 labels: share of pairs in conflict while sharing helps", "20 etykiet: udział par w konflikcie, gdy współdzielenie pomaga"), conflict_share(together[20][1]["cosines"]), at_least=0.2)
claim(t("One skill too loud: how many times smaller uncertainty weighting makes the error of the others", "Jedna umiejętność za głośna: ile razy ważenie niepewnością zmniejsza błąd pozostałych"), rest["sum"] / rest["uncertainty"], at_least=2, unit="×")
claim(t("The same for PCGrad", "To samo dla PCGrad"), rest["sum"] / rest["pcgrad"], at_most=1.8, unit="×")
claim(t("8 units: how many times larger the error of the sum is than apart", "8 neuronów: ile razy większy jest błąd sumy niż osobno"), narrow_errors["sum"] / narrow_errors["apart"], at_least=1.15, unit="×")
claim(t("The same for the best of the three methods", "To samo dla najlepszej z trzech metod"), min(narrow_errors[method] for method in ("sum", "pcgrad", "uncertainty")) / narrow_errors["apart"], at_least=1.0, unit="×")
claim(t("Recorded: what reach gains from hover, mean", "Zapisane: ile reach zyskuje od hover, średnia"), mean[0, 1], at_least=30, unit="%")
claim(t("Recorded: what the others gain from mirror, mean", "Zapisane: ile inne zyskują od mirror, średnia"), partners[2], at_most=10, unit="%")
claim(t("Recorded: correlation of mean cosine and mutual gain over the six pairs", "Zapisane: korelacja średniego cosinusa i wzajemnego zysku w sześciu parach"), np.corrcoef(cosines, mutual)[0, 1], at_least=0.7)
claim(t("Recorded: share of pairs in conflict, one skill too loud less 20 labels", "Zapisane: udział par w konflikcie, jedna za głośna minus 20 etykiet"), shares["units"].mean() - shares["few"].mean(), at_most=0.1)
claim(t("Recorded: how many times smaller the error of uncertainty weighting is, each at its best rate", "Zapisane: ile razy mniejszy jest błąd ważenia niepewnością, każde przy najlepszym współczynniku"), at_rate["sum"].mean(0).min() / at_rate["uncertainty"].mean(0).min(), at_least=1.1, unit="×")
claim(t("The same against the sum with the weight 0.1 for point in N m", "To samo wobec sumy z wagą 0.1 dla point w N m"), static.mean() / at_rate["uncertainty"].mean(0).min(), at_most=1.4, unit="×")
claim(t("Recorded, 1000 labels: how many times smaller its error is than that of four networks", "Zapisane, 1000 etykiet: ile razy mniejszy jest jego błąd niż czterech sieci"), alone[1000].mean() / per_skill(results["methods"]["1000"]["uncertainty"]).mean(), at_least=1.2, unit="×")
claim(t("Recorded, 20 labels: how many times larger the error of uncertainty weighting is than that of the sum", "Zapisane, 20 etykiet: ile razy większy jest błąd ważenia niepewnością niż sumy"), per_skill(results["methods"]["20"]["uncertainty"]).mean() / per_skill(results["methods"]["20"]["sum"]).mean(), at_least=1.05, unit="×")
claim(t("Recorded, 1000 labels: how many times uncertainty weighting's weights grow, mean", "Zapisane, 1000 etykiet: ile razy rosną wagi w ważeniu niepewnością, średnia"), np.mean(results["methods"]["1000"]["uncertainty"]["weights"]) / 0.5, at_least=5000, unit="×")
claim(t("Recorded, 8 units: share of the loss that uncertainty weighting wins back", "Zapisane, 8 neuronów: jaką część straty odzyskuje ważenie niepewnością"), np.subtract(*(per_skill(results["narrow"][kind]).mean() for kind in ("sum", "uncertainty"))) / np.subtract(*(per_skill(results["narrow"][kind]).mean() for kind in ("sum", "apart"))), at_least=0.5)
claim(t("Recorded, 8 units: error of the best method less that of four networks, mean", "Zapisane, 8 neuronów: błąd najlepszej metody minus błąd czterech sieci, średnia"), min(per_skill(results["narrow"][method]).mean() for method in ("sum", "uncertainty", "gradnorm", "pcgrad")) - per_skill(results["narrow"]["apart"]).mean(), at_least=0.002)

# %% [markdown] lang="en"
# ## Where to go next
#
# - Caruana 1997, *Multitask Learning*, [Machine Learning 28](https://doi.org/10.1023/A:1007379606734)
# - Kendall, Gal and Cipolla 2018, *Multi-Task Learning Using Uncertainty to Weigh Losses for Scene Geometry and Semantics*, [arXiv 1705.07115](https://arxiv.org/abs/1705.07115)
# - Chen et al. 2018, *GradNorm: Gradient Normalization for Adaptive Loss Balancing in Deep Multitask Networks*, [arXiv 1711.02257](https://arxiv.org/abs/1711.02257)
# - Yu et al. 2020, *Gradient Surgery for Multi-Task Learning*, [arXiv 2001.06782](https://arxiv.org/abs/2001.06782)
# - Standley et al. 2020, *Which Tasks Should Be Learned Together in Multi-task Learning?*, [arXiv 1905.07553](https://arxiv.org/abs/1905.07553)
# - Kurin et al. 2022, *In Defense of the Unitary Scalarization for Deep Multi-Task Learning*, [arXiv 2201.04122](https://arxiv.org/abs/2201.04122)
# - Xin et al. 2022, *Do Current Multi-Task Optimization Methods in Deep Learning Even Help?*, [arXiv 2209.11379](https://arxiv.org/abs/2209.11379)
# - Kalashnikov et al. 2021, *MT-Opt: Continuous Multi-Task Robotic Reinforcement Learning at Scale*, [arXiv 2104.08212](https://arxiv.org/abs/2104.08212)
#
# [Lesson 10](10_policy_distillation.ipynb) distils several teachers into one network with heads; [lesson 14](14_continual_learning.ipynb) takes the tasks one after another, where joint training is the goal that is hard to reach. Lesson 16, which is planned, takes the last step: one network that is told in words what to do.
# %% [markdown] lang="pl"
# ## Co dalej
#
# - Caruana 1997, *Multitask Learning*, [Machine Learning 28](https://doi.org/10.1023/A:1007379606734)
# - Kendall, Gal i Cipolla 2018, *Multi-Task Learning Using Uncertainty to Weigh Losses for Scene Geometry and Semantics*, [arXiv 1705.07115](https://arxiv.org/abs/1705.07115)
# - Chen i in. 2018, *GradNorm: Gradient Normalization for Adaptive Loss Balancing in Deep Multitask Networks*, [arXiv 1711.02257](https://arxiv.org/abs/1711.02257)
# - Yu i in. 2020, *Gradient Surgery for Multi-Task Learning*, [arXiv 2001.06782](https://arxiv.org/abs/2001.06782)
# - Standley i in. 2020, *Which Tasks Should Be Learned Together in Multi-task Learning?*, [arXiv 1905.07553](https://arxiv.org/abs/1905.07553)
# - Kurin i in. 2022, *In Defense of the Unitary Scalarization for Deep Multi-Task Learning*, [arXiv 2201.04122](https://arxiv.org/abs/2201.04122)
# - Xin i in. 2022, *Do Current Multi-Task Optimization Methods in Deep Learning Even Help?*, [arXiv 2209.11379](https://arxiv.org/abs/2209.11379)
# - Kalashnikov i in. 2021, *MT-Opt: Continuous Multi-Task Robotic Reinforcement Learning at Scale*, [arXiv 2104.08212](https://arxiv.org/abs/2104.08212)
#
# [Lekcja 10](10_policy_distillation.ipynb) destyluje kilku nauczycieli do jednej sieci z głowicami; [lekcja 14](14_continual_learning.ipynb) bierze zadania jedno po drugim, a trening łączny jest tam celem, do którego trudno dojść. Lekcja 16, która jest w planach, robi ostatni krok: jedna sieć, której słowami mówi się, co ma zrobić.
