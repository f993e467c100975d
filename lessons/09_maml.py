# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   tlcourse:
#     title: {en: MAML, pl: MAML}
#     minutes: 60
#     seconds: 55
#     prerequisites: ["08_prototypical_networks"]
# ---

# %% [markdown] lang="en"
# # MAML
#
# A robot that has just lost a leg cannot wait for a million new examples. It has the last second of its own movements, and a few steps of gradient descent. Here you train a network so that this is enough.
#
# **After this lesson you will be able to**
#
# - write the meta-gradient with its Hessian, compute it by hand in two dimensions, and say what first order leaves out,
# - tell a start that is good on average from one that is good after a step, and show where they differ,
# - meta-train a network on sine curves and on characters, and compare it fairly with fine-tuning,
# - check a meta-gradient against another library, and say when batching over tasks pays,
# - say when MAML fails, and when a good pretrained network serves as well.
#
# **You need**: [lesson 08](08_prototypical_networks.ipynb), the chain rule for functions of several variables. **Time**: about an hour; the code runs in
# just under a minute. New words are explained in the glossary of [lesson 00](00_start.ipynb).
# %% [markdown] lang="pl"
# # MAML
#
# Robot, który właśnie stracił nogę, nie może czekać na milion nowych przykładów. Ma zapis własnych ruchów z ostatniej sekundy i czas na kilka kroków metody gradientu prostego (ang. *gradient descent*). Tutaj wytrenujesz sieć tak, żeby to wystarczyło.
#
# **Po tej lekcji będziesz umieć**
#
# - zapisać metagradient razem z hesjanem, obliczyć go ręcznie w dwóch wymiarach i powiedzieć, co pomija przybliżenie pierwszego rzędu,
# - odróżnić punkt startowy dobry średnio od dobrego po kroku i pokazać, gdzie się rozchodzą,
# - metatrenować sieć na sinusoidach i na znakach pisma i uczciwie porównać ją z dostrajaniem (ang. *fine-tuning*),
# - sprawdzić metagradient inną biblioteką i powiedzieć, kiedy opłaca się liczyć wiele zadań naraz,
# - powiedzieć, kiedy MAML zawodzi i kiedy równie dobra jest po prostu dobra sieć wstępnie wytrenowana.
#
# **Co trzeba umieć**: [lekcja 08](08_prototypical_networks.ipynb), pochodna funkcji złożonej wielu zmiennych. **Czas**: około godziny; kod wykonuje się
# niecałą minutę. Nowe słowa wyjaśnia słowniczek w [lekcji 00](00_start.ipynb).

# %% tags=["setup"]
from tlcourse.classroom import start_lesson, t

start_lesson("09_maml", lang="en")

# %% tags=["imports"]
import contextlib
import io
import math
import timeit
from functools import partial
from itertools import product

import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call, grad, vmap

from tlcourse.classroom import (
    Prediction, Quiz, band, check, claim, explore, image_grid, mean_pm, palette, quiz, recorded, show, show_source, table,
)
from tlcourse.data.glyphs import HELD_OUT, TRAINING, glyphs
from tlcourse.data.sinusoids import sinusoid_tasks
from tlcourse.few_shot import EpisodeSampler, PrototypicalNetwork, evaluate_episodes
from tlcourse.maml import MAML, adapt, meta_gradient
from tlcourse.networks import conv4
from tlcourse.robots.half_cheetah import MOTORS, HalfCheetah
from tlcourse.robots.transitions import Transitions, babble
from tlcourse.runtime import seed_everything
from tlcourse.training import fit

SEED = 0

# %% [markdown] lang="en"
# ## The idea
#
# Where should an ambulance station stand? In the middle between the villages, says the map. The drivers disagree: in some directions there are motorways, in others forest tracks. What counts is not how near the station is, but where the car is **after five minutes**. So the station belongs where the slow part of every route is short; the motorway takes care of itself.
#
# So far, this course has started from weights that were good at *something else*. **MAML**, model-agnostic meta-learning (Finn et al. 2017, [arXiv 1703.03400](https://arxiv.org/abs/1703.03400)), looks for weights with one purpose only: a few steps of gradient descent on a few examples of a *new* task should make them good at it. Before those steps they may be bad. Weights are the place on the map, gradient steps are the minutes; steep directions of the loss are motorways, flat ones are forest tracks. Learning how to learn is called **meta-learning**; *model-agnostic* means that any network will do, a classifier as well as the model of a robot.
#
# From lesson 08 we keep the words: a task comes with a **support set**, the few labelled examples to learn from, and a **query set**, on which it is tested; such a pair is an *episode*. *N-way K-shot* means N classes with K support examples each.
#
# The paper's smallest example: a task is one sine curve, $y = A \sin(x - \varphi)$, whose amplitude $A$ is drawn from 0.1 to 5 and whose phase $\varphi$ from 0 to $\pi$, uniformly. Ten points of it are given. What does a network answer that was trained **jointly**, that is, plainly on the points of *all* curves? At each $x$ the mean of all curves has the smallest squared error:
#
# $$\mathbb{E}[y \mid x] = \mathbb{E}[A] \cdot \frac{1}{\pi} \int_0^\pi \sin(x - \varphi)\, \mathrm{d}\varphi = -\frac{5.1}{\pi} \cos x \approx -1.62 \cos x .$$
#
# Its error is known, too. $\sin^2$ averages ½ over the phases, so the mean square of $y$ is $\frac12 \mathbb{E}[A^2] = 4.25$. The mean curve takes its own mean square away; $\cos^2$ averages 0.473 over $x$ from −5 to 5, so that is $1.62^2 \cdot 0.473 = 1.25$: **3.0** is left. No network can do better as long as it has not seen points of the task at hand.
# %% [markdown] lang="pl"
# ## Pomysł
#
# Gdzie powinna stać stacja pogotowia? Pośrodku między wsiami, podpowiada mapa. Kierowcy się nie zgadzają: w niektóre strony prowadzą autostrady, w inne leśne drogi. Liczy się nie to, jak blisko stoi stacja, tylko gdzie karetka jest **po pięciu minutach**. Stacja powinna więc stać tam, skąd do żadnej wsi nie trzeba długo jechać przez las; autostrada załatwi resztę.
#
# Dotąd w tym kursie zaczynaliśmy od wag, które były dobre *w czymś innym*. **MAML** (ang. *model-agnostic meta-learning*; Finn i in. 2017, [arXiv 1703.03400](https://arxiv.org/abs/1703.03400)) szuka wag, od których żąda tylko jednego: po kilku krokach metody gradientu prostego na kilku przykładach *nowego* zadania mają sobie z nim dobrze radzić. Przed tymi krokami mogą być złe. Wagi to miejsce na mapie, kroki gradientu to minuty; strome kierunki straty to autostrady, płaskie to leśne drogi. Uczenie się, jak się uczyć, nazywa się **metauczeniem** (ang. *meta-learning*); *model-agnostic* znaczy, że sieć może być dowolna, klasyfikator tak samo jak model robota.
#
# Z lekcji 08 zostają nam słowa: zadanie ma **zbiór wsparcia** (ang. *support set*), czyli kilka przykładów z etykietami, na których się uczymy, oraz **zbiór zapytań** (ang. *query set*), na którym sprawdzamy wynik; taka para to *epizod* (ang. *episode*). *N klas po K przykładów* (ang. *N-way K-shot*) to zadanie, w którym zbiór wsparcia ma N klas i po K przykładów każdej.
#
# Najmniejszy przykład z artykułu: zadanie to jedna sinusoida, $y = A \sin(x - \varphi)$, której amplitudę $A$ losujemy z przedziału od 0,1 do 5, a fazę $\varphi$ od 0 do $\pi$, jednostajnie. Sieć dostaje dziesięć jej punktów. Co odpowiada sieć trenowana **łącznie**, czyli po prostu na punktach *wszystkich* sinusoid? Najmniejszy błąd kwadratowy ma w każdym $x$ średnia wszystkich krzywych:
#
# $$\mathbb{E}[y \mid x] = \mathbb{E}[A] \cdot \frac{1}{\pi} \int_0^\pi \sin(x - \varphi)\, \mathrm{d}\varphi = -\frac{5{,}1}{\pi} \cos x \approx -1{,}62 \cos x .$$
#
# Znamy też jej błąd. $\sin^2$ uśrednia się po fazach do ½, więc średni kwadrat $y$ to $\frac12 \mathbb{E}[A^2] = 4{,}25$. Średnia krzywa odejmuje od tego swój własny średni kwadrat; $\cos^2$ dla $x$ od −5 do 5 uśrednia się do 0,473, więc jest to $1{,}62^2 \cdot 0{,}473 = 1{,}25$: zostaje **3,0**. Żadna sieć nie osiągnie mniej, dopóki nie zobaczy punktów tego właśnie zadania.

# %%
many, x = sinusoid_tasks(10_000, seed=SEED), torch.linspace(-5, 5, 101)[:, None]
curves, mean_curve = many(x)[..., 0], -5.1 / math.pi * x[:, 0].cos()
floor, (fig, ax) = (curves - mean_curve).square().mean().item(), plt.subplots(figsize=(7, 3.2))
ax.plot(x, curves[:12].T, color=palette("grey"), linewidth=1)
ax.legend(handles=ax.plot(x, mean_curve, color=palette("red"), linewidth=4, label="−1.62 cos x"), loc="upper left", bbox_to_anchor=(1, 1))
ax.set(xlabel="x", ylabel="y", title=t(f"squared error of the mean curve on 10,000 tasks: {floor:.2f}", f"błąd kwadratowy średniej krzywej na 10 000 zadań: {floor:.2f}"))
show(fig, alt=t("Twelve grey sine curves of different height and phase, and a thick cosine, their mean, that is close to none of them.", "Dwanaście szarych sinusoid o różnej wysokości i fazie oraz gruby cosinus, ich średnia, który nie jest bliski żadnej z nich."))

# %% [markdown] lang="en"
# The thick line is the answer of joint training: it is near no curve in particular. More training does not help; *ten points of the new curve* do, and the question is from which weights they help most.
#
# ## The mathematics
#
# **The objective.** A task $i$ has the loss $L_{S_i}$ on its support set and $L_{Q_i}$ on its query set. Let $\theta$ be all weights in one long vector. The **inner loop** leaves from the *start* $\theta$ and adapts the weights to the task by gradient descent with the learning rate $\alpha$ (the *inner rate*); here one step:
#
# $$\theta_i' = \theta - \alpha \nabla L_{S_i}(\theta) .$$
#
# The **outer loop** changes the start so that the *adapted* weights do well on examples that they were not adapted to:
#
# $$\min_\theta\; \mathbb{E}_i \left[ L_{Q_i}\big(\theta - \alpha \nabla L_{S_i}(\theta)\big) \right] .$$
#
# Joint training would minimise $\mathbb{E}_i [L_i(\theta)]$: the same without the step.
#
# **The meta-gradient.** To descend, we need the gradient of this with respect to $\theta$, for one task. The start enters by way of every component of $\theta'$, so by the chain rule
#
# $$\frac{\partial}{\partial \theta_a} L_Q(\theta') = \sum_b \frac{\partial \theta'_b}{\partial \theta_a}\, \frac{\partial L_Q}{\partial \theta'_b}(\theta'), \qquad \frac{\partial \theta'_b}{\partial \theta_a} = \delta_{ab} - \alpha\, \frac{\partial^2 L_S}{\partial \theta_a \partial \theta_b}(\theta) .$$
#
# ($\delta_{ab}$ is 1 if $a = b$, else 0.) The second derivatives form the **Hessian** $H = \nabla^2 L_S(\theta)$, a symmetric matrix that says how curved the loss is in each direction. In one line:
#
# $$\nabla_\theta\, L_Q(\theta') = \big(I - \alpha H\big)\, \nabla L_Q(\theta') .$$
#
# Read it from right to left: go where the step leads, see what the query set asks for *there*, and carry it back through the step. Along an eigenvector of $H$ with the curvature $\lambda$ the factor is $1 - \alpha\lambda$. Where $\lambda = 1/\alpha$ it is 0 and nothing comes back: in that direction the step arrives at the bottom from any start. That is the motorway. (Beyond $1/\alpha$ the step overshoots.) With $k$ steps, from $\theta_0 = \theta$ to $\theta_k$, there is a factor for each:
#
# $$\big(I - \alpha H(\theta_0)\big) \big(I - \alpha H(\theta_1)\big) \cdots \big(I - \alpha H(\theta_{k-1})\big)\, \nabla L_Q(\theta_k) .$$
#
# **First order**, the first-order approximation, leaves out every $H$ and uses $\nabla L_Q(\theta')$ as it is: where the query gradient at the adapted weights points, the start goes.
#
# ### By hand
#
# Two tasks, two weights $\theta = (x, y)$, and support and query loss are the same:
#
# $$L_1 = \tfrac12 \big(x^2 + 3 y^2\big), \qquad L_2 = \tfrac12 \big(3 (x - 4)^2 + (y - 4)^2\big), \qquad \alpha = \tfrac14 .$$
#
# Task 1 is at home in $(0, 0)$ and steep in $y$; task 2 in $(4, 4)$ and steep in $x$. Stand at $(2, 2)$, half-way between them. The gradients there are $(2, 6)$ and $(-6, -2)$, so joint training steps against their mean, to the right and down.
# %% [markdown] lang="pl"
# Gruba linia to odpowiedź treningu łącznego: nie jest bliska żadnej konkretnej krzywej. Dłuższy trening nie pomoże; pomoże *dziesięć punktów nowej krzywej*, a pytanie brzmi, od jakich wag pomogą najbardziej.
#
# ## Matematyka
#
# **Funkcja celu.** Zadanie $i$ ma stratę $L_{S_i}$ na swoim zbiorze wsparcia i $L_{Q_i}$ na swoim zbiorze zapytań. Niech $\theta$ będzie długim wektorem wszystkich wag. **Pętla wewnętrzna** (ang. *inner loop*) wychodzi z punktu startowego $\theta$ (krótko: *startu*) i dostosowuje wagi do zadania metodą gradientu prostego ze współczynnikiem uczenia $\alpha$ (*współczynnikiem wewnętrznym*); tutaj w jednym kroku:
#
# $$\theta_i' = \theta - \alpha \nabla L_{S_i}(\theta) .$$
#
# **Pętla zewnętrzna** (ang. *outer loop*) zmienia start tak, żeby *dostosowane* wagi były dobre na przykładach, do których ich nie dostosowywano:
#
# $$\min_\theta\; \mathbb{E}_i \left[ L_{Q_i}\big(\theta - \alpha \nabla L_{S_i}(\theta)\big) \right] .$$
#
# Trening łączny minimalizowałby $\mathbb{E}_i [L_i(\theta)]$: to samo, ale bez kroku.
#
# **Metagradient.** Żeby schodzić w dół, potrzebujemy gradientu tej wielkości względem $\theta$, dla jednego zadania. Start wpływa na wynik przez każdą składową $\theta'$, więc ze wzoru na pochodną funkcji złożonej
#
# $$\frac{\partial}{\partial \theta_a} L_Q(\theta') = \sum_b \frac{\partial \theta'_b}{\partial \theta_a}\, \frac{\partial L_Q}{\partial \theta'_b}(\theta'), \qquad \frac{\partial \theta'_b}{\partial \theta_a} = \delta_{ab} - \alpha\, \frac{\partial^2 L_S}{\partial \theta_a \partial \theta_b}(\theta) .$$
#
# ($\delta_{ab}$ to 1, gdy $a = b$, w przeciwnym razie 0.) Drugie pochodne tworzą **hesjan** $H = \nabla^2 L_S(\theta)$, macierz symetryczną, która mówi, jak zakrzywiona jest strata w każdym kierunku. W jednym wierszu:
#
# $$\nabla_\theta\, L_Q(\theta') = \big(I - \alpha H\big)\, \nabla L_Q(\theta') .$$
#
# Czytaj od prawej do lewej: idź tam, dokąd prowadzi krok, sprawdź, czego *tam* chce zbiór zapytań, i przenieś to z powrotem przez krok. Wzdłuż wektora własnego $H$ o krzywiźnie $\lambda$ czynnik wynosi $1 - \alpha\lambda$. Gdzie $\lambda = 1/\alpha$, tam jest zerem i nic nie wraca: w tym kierunku krok trafia na dno z każdego startu. To właśnie autostrada. (Powyżej $1/\alpha$ krok mija dno.) Przy $k$ krokach, od $\theta_0 = \theta$ do $\theta_k$, każdy daje swój czynnik:
#
# $$\big(I - \alpha H(\theta_0)\big) \big(I - \alpha H(\theta_1)\big) \cdots \big(I - \alpha H(\theta_{k-1})\big)\, \nabla L_Q(\theta_k) .$$
#
# **Przybliżenie pierwszego rzędu** (ang. *first-order approximation*; krótko: pierwszy rząd) pomija wszystkie $H$ i bierze $\nabla L_Q(\theta')$ bez zmian: start idzie tam, dokąd każe gradient zapytań w wagach dostosowanych.
#
# ### Ręcznie
#
# Dwa zadania, dwie wagi $\theta = (x, y)$, a strata na zbiorze wsparcia i na zbiorze zapytań jest ta sama:
#
# $$L_1 = \tfrac12 \big(x^2 + 3 y^2\big), \qquad L_2 = \tfrac12 \big(3 (x - 4)^2 + (y - 4)^2\big), \qquad \alpha = \tfrac14 .$$
#
# Zadanie 1 ma minimum w $(0, 0)$ i jest strome wzdłuż $y$; zadanie 2 w $(4, 4)$ i jest strome wzdłuż $x$. Stań w $(2, 2)$, w połowie drogi. Gradienty wynoszą tam $(2, 6)$ i $(-6, -2)$, więc trening łączny robi krok przeciwnie do ich średniej: w prawo i w dół.

# %% tags=["predict"]
guess = Prediction(
    t("Joint training goes to the right and down from $(2, 2)$. Where does MAML go?", "Trening łączny idzie z $(2, 2)$ w prawo i w dół. Dokąd idzie MAML?"),
    [t("the same way", "w tę samą stronę"), t("nowhere: it stays", "donikąd: zostaje"), t("the opposite way", "w przeciwną stronę")],
)
guess

# %% [markdown] lang="en"
# Compute it. The Hessians are diagonal and constant: $H_1 = \mathrm{diag}(1, 3)$, $H_2 = \mathrm{diag}(3, 1)$, so $I - \alpha H$ is $\mathrm{diag}(\frac34, \frac14)$ for task 1 and $\mathrm{diag}(\frac14, \frac34)$ for task 2.
#
# | | task 1 | task 2 | mean |
# | --- | --- | --- | --- |
# | gradient $\nabla L(\theta)$ | $(2, 6)$ | $(-6, -2)$ | $(-2, 2)$ |
# | after the step, $\theta'$ | $(\frac32, \frac12)$ | $(\frac72, \frac52)$ | |
# | first order, $\nabla L(\theta')$ | $(\frac32, \frac32)$ | $(-\frac32, -\frac32)$ | $(0, 0)$ |
# | MAML, $(I - \alpha H) \nabla L(\theta')$ | $(\frac98, \frac38)$ | $(-\frac38, -\frac98)$ | $(\frac38, -\frac38)$ |
#
# Three methods, three answers. Going against its gradient, joint training moves to the right and down, MAML to the left and up, and first order stays. Where do they end? In one coordinate the gradient is $a (x - h)$, with the home $h$. The step multiplies $x - h$ by $1 - \alpha a$, so first order sees $a (1 - \alpha a)(x - h)$, and the way back through the step brings the factor once more. So a task with curvature $a$ pulls towards its home with the weight $a$ in joint training, $a (1 - \alpha a)$ in first order, $a (1 - \alpha a)^2$ in MAML:
#
# $$a = 1: \quad 1, \;\; \tfrac34, \;\; \tfrac{9}{16} \qquad\qquad a = 3: \quad 3, \;\; \tfrac34, \;\; \tfrac{3}{16} .$$
#
# In $x$ the homes are 0, with $a = 1$, and 4, with $a = 3$. Their weighted means are $4 \cdot 3 / (1 + 3) = 3$ for joint training, 2 for first order, and $4 \cdot \frac{3}{16} / \frac{12}{16} = 1$ for MAML; in $y$ it is the other way round. Joint training listens to the steep task, because it complains loudest. MAML listens to the *flat* one, because the steep one is helped by the step. Now let the package's functions do the same; without a step (`steps=0`) they train jointly. For them a loss is a function of the weights, a dict, and of data; here the data of a task are its curvature and its home, for support and query alike.
# %% [markdown] lang="pl"
# Policz. Hesjany są diagonalne i stałe: $H_1 = \mathrm{diag}(1, 3)$, $H_2 = \mathrm{diag}(3, 1)$, więc $I - \alpha H$ to $\mathrm{diag}(\frac34, \frac14)$ dla zadania 1 i $\mathrm{diag}(\frac14, \frac34)$ dla zadania 2.
#
# | | zadanie 1 | zadanie 2 | średnia |
# | --- | --- | --- | --- |
# | gradient $\nabla L(\theta)$ | $(2, 6)$ | $(-6, -2)$ | $(-2, 2)$ |
# | po kroku, $\theta'$ | $(\frac32, \frac12)$ | $(\frac72, \frac52)$ | |
# | pierwszy rząd, $\nabla L(\theta')$ | $(\frac32, \frac32)$ | $(-\frac32, -\frac32)$ | $(0, 0)$ |
# | MAML, $(I - \alpha H) \nabla L(\theta')$ | $(\frac98, \frac38)$ | $(-\frac38, -\frac98)$ | $(\frac38, -\frac38)$ |
#
# Trzy metody, trzy różne odpowiedzi. Przeciwnie do swojego gradientu trening łączny idzie w prawo i w dół, MAML w lewo i w górę, a pierwszy rząd stoi. Gdzie skończą? W jednej współrzędnej gradient wynosi $a (x - h)$, gdzie $h$ to minimum. Krok mnoży $x - h$ przez $1 - \alpha a$, więc pierwszy rząd widzi $a (1 - \alpha a)(x - h)$, a droga powrotna przez krok dokłada ten czynnik jeszcze raz. Zadanie o krzywiźnie $a$ ciągnie do swojego minimum z wagą $a$ w treningu łącznym, $a (1 - \alpha a)$ w pierwszym rzędzie i $a (1 - \alpha a)^2$ w MAML:
#
# $$a = 1: \quad 1, \;\; \tfrac34, \;\; \tfrac{9}{16} \qquad\qquad a = 3: \quad 3, \;\; \tfrac34, \;\; \tfrac{3}{16} .$$
#
# We współrzędnej $x$ minima leżą w 0, z $a = 1$, i w 4, z $a = 3$. Ich średnie ważone to $4 \cdot 3 / (1 + 3) = 3$ dla treningu łącznego, 2 dla pierwszego rzędu i $4 \cdot \frac{3}{16} / \frac{12}{16} = 1$ dla MAML; we współrzędnej $y$ jest odwrotnie. Trening łączny słucha zadania stromego, bo ono najgłośniej się skarży. MAML słucha *płaskiego*, bo stromemu pomoże krok. Teraz niech to samo zrobią funkcje z pakietu; bez kroku (`steps=0`) trenują łącznie. Strata jest dla nich funkcją wag (słownika) i danych; tutaj dane zadania to jego krzywizna i minimum, te same dla wsparcia i zapytań.

# %%
guess.compare(2)
curvature, home = torch.tensor([[1.0, 3.0], [3.0, 1.0]]), torch.tensor([[0.0, 0.0], [4.0, 4.0]])
ALPHA = 0.25


def valley(params, task):
    curvature, home = task
    return (curvature * (params["theta"] - home) ** 2).sum() / 2


def both_tasks(theta, **how):
    each = [meta_gradient(valley, {"theta": theta}, task, task, ALPHA, **how) for task in zip(curvature, home)]
    return sum(gradient["theta"] for gradient, _ in each) / 2, sum(loss for _, loss in each) / 2


ways = {
    t("joint training", "trening łączny"): {"steps": 0},
    t("first order", "pierwszy rząd"): {"variant": "first order"},
    "MAML": {"variant": "second order"},
}
here, ends, rows = torch.tensor([2.0, 2.0]), {}, []
for name, how in ways.items():
    theta = here
    for _ in range(100):
        theta = theta - both_tasks(theta, **how)[0] / 2
    ends[name] = theta
    losses = [both_tasks(theta, steps=steps)[1].item() for steps in (0, 1)]
    rows.append((name, *("({:.3g}, {:.3g})".format(*point) for point in (both_tasks(here, **how)[0], theta)), *losses))
table(rows, ["", t("gradient at (2, 2)", "gradient w (2, 2)"), t("ends at", "kończy w"), t("mean loss there", "średnia strata"), t("after a step", "po kroku")])

# %%
grid = torch.stack(torch.meshgrid(torch.linspace(-1, 5, 61), torch.linspace(-1, 5, 61), indexing="xy"), -1)


def landscape(steps):
    return vmap(vmap(lambda point: both_tasks(point, steps=steps)[1]))(grid)


fig, axes = plt.subplots(1, 2, figsize=(9.5, 4.6), sharey=True)
titles = t("mean loss", "średnia strata"), t("mean loss after a step", "średnia strata po kroku")
for ax, steps, title in zip(axes, (0, 1), titles):
    ax.contour(*grid.permute(2, 0, 1), landscape(steps), levels=12, colors=palette("grey"), linewidths=0.7)
    for (name, end), colour in zip(ends.items(), ("blue", "orange", "red")):
        for task in zip(curvature, home):
            moved = adapt(valley, {"theta": end}, task, ALPHA)["theta"]
            ax.plot(*torch.stack([end, moved]).T, color=palette(colour), linewidth=1.5, alpha=steps)
        ax.plot(*end, "o", color=palette(colour), markersize=9, label=name)
    ax.plot(*home.T, "*", color=palette("black"), markersize=12, label=t("homes of the tasks", "minima zadań"))
    ax.set(title=title, xlabel="x", aspect="equal")
axes[0].set_ylabel("y")
axes[0].legend(loc="upper left", fontsize=9, frameon=True, framealpha=1)
show(fig, alt=t("Contours of the mean loss, lowest at (3, 1), where joint training ends, and of the mean loss after a step, lowest at (1, 3), where MAML ends; first order ends half-way, in the minimum of neither.",
                "Poziomice średniej straty, najniższej w (3, 1), gdzie kończy trening łączny, oraz średniej straty po kroku, najniższej w (1, 3), gdzie kończy MAML; pierwszy rząd kończy w połowie drogi, w minimum żadnej z nich."))

# %% [markdown] lang="en"
# Left, what joint training descends; right, what MAML descends; stars are the homes of the tasks, and the lines on the right show where one step leads from each start, in each of the tasks. MAML's start is the worst of the three *before* the step and the best *after* it. And first order ends in the minimum of neither: it is only an approximation.
#
# **How much does first order lose?** Expand in $\alpha$. With $g_S, g_Q$ for the gradients of the two losses at $\theta$ and $H_S, H_Q$ for the Hessians, $\nabla L_Q(\theta') = g_Q - \alpha H_Q g_S + O(\alpha^2)$, so
#
# $$\text{MAML:}\quad g_Q - \alpha \left( H_Q\, g_S + H_S\, g_Q \right) + O(\alpha^2), \qquad \text{first order:}\quad g_Q - \alpha H_Q\, g_S + O(\alpha^2) .$$
#
# The bracket is the derivative of a product, $\nabla (g_S \cdot g_Q)$. So MAML lowers the loss *and* raises $g_S \cdot g_Q$: the gradients of support and query should point the same way: then a step on one helps the other. On average over draws the two terms of the bracket are equal, because support and query examples are drawn alike and may change places. First order keeps one of them: **half of the effect, at no extra cost** (Nichol et al. 2018, [arXiv 1803.02999](https://arxiv.org/abs/1803.02999)). It is a good approximation where $\alpha H$ is small, that is, for small rates or flat losses. On photographs, with small rates, Finn et al. measured almost no difference, and suspect that networks with ReLU are locally nearly linear. On the scripts below, with $\alpha = 0.4$, you will see one.
#
# Two more variants, in short:
#
# - **Reptile** (the same paper) needs no query set: run the inner loop, and move the start a little towards where it ended, $\theta \leftarrow \theta + \beta\, (\theta_k - \theta)$. With one inner step that is joint training; from two on, the second gradient is taken after the first step and so contains $-\alpha H g$. (If each step has examples of its own, as in the paper, it is a term of first order; $\beta$ is a small outer rate.)
# - **ANIL**, almost no inner loop (Raghu et al. 2020, [arXiv 1909.09157](https://arxiv.org/abs/1909.09157)): as MAML, but the inner loop moves the head only.
#
# **What does the Hessian cost?** Never write it down: for $10^5$ weights it has $10^{10}$ entries. Only the product $H v$ with a vector is needed, and $H v = \nabla (g_S \cdot v)$ with $v$ held fixed is the gradient of a number: one more backward pass, through the first one.
#
# ## The code
#
# `torch.func` makes this nearly literal. `functional_call(model, params, x)` runs a model with the weights that it is given instead of its own; `grad(f)` is the *function* that computes the gradient of `f`, and it may be differentiated again; `vmap(f)` runs `f` for a whole batch of tasks at once. In the code the support set is called `train`, and `grad_and_value` gives the value besides the gradient. `differentiate` and `only` are there for speed and for ANIL: skip them at first.
# %% [markdown] lang="pl"
# Po lewej to, co zmniejsza trening łączny, po prawej to, co zmniejsza MAML; gwiazdki to minima zadań, a kreski po prawej pokazują, dokąd z każdego startu prowadzi jeden krok w każdym z zadań. Start MAML jest z tych trzech najgorszy *przed* krokiem i najlepszy *po* nim. A pierwszy rząd nie kończy w minimum żadnej z tych strat: jest tylko przybliżeniem.
#
# **Ile traci przybliżenie pierwszego rzędu?** Rozwiń w szereg względem $\alpha$. Gdy $g_S, g_Q$ to gradienty obu strat w $\theta$, a $H_S, H_Q$ ich hesjany, to $\nabla L_Q(\theta') = g_Q - \alpha H_Q g_S + O(\alpha^2)$, więc
#
# $$\text{MAML:}\quad g_Q - \alpha \left( H_Q\, g_S + H_S\, g_Q \right) + O(\alpha^2), \qquad \text{pierwszy rząd:}\quad g_Q - \alpha H_Q\, g_S + O(\alpha^2) .$$
#
# Nawias to pochodna iloczynu, $\nabla (g_S \cdot g_Q)$. MAML zmniejsza więc stratę *i* zwiększa $g_S \cdot g_Q$: gradienty na zbiorze wsparcia i na zbiorze zapytań mają wskazywać w tę samą stronę, bo wtedy krok na jednym pomaga drugiemu. Średnio po losowaniach oba składniki nawiasu są równe, bo przykłady obu zbiorów losujemy tak samo i mogą się zamienić miejscami. Pierwszy rząd zachowuje jeden z nich: **połowę efektu, i to bez dopłaty** (Nichol i in. 2018, [arXiv 1803.02999](https://arxiv.org/abs/1803.02999)). Przybliżenie jest dobre tam, gdzie $\alpha H$ jest małe, czyli przy małych współczynnikach albo płaskich stratach. Na fotografiach, przy małych współczynnikach, Finn i in. nie zmierzyli prawie żadnej różnicy i przypuszczają, że sieci z ReLU są lokalnie prawie liniowe. Na pismach poniżej, przy $\alpha = 0{,}4$, różnicę zobaczysz.
#
# Jeszcze dwie odmiany, w skrócie:
#
# - **Reptile** (ten sam artykuł) nie potrzebuje zbioru zapytań: wykonaj pętlę wewnętrzną i przesuń start odrobinę w stronę jej końca, $\theta \leftarrow \theta + \beta\, (\theta_k - \theta)$. Przy jednym kroku wewnętrznym jest to trening łączny; od dwóch wzwyż drugi gradient liczymy po pierwszym kroku, więc zawiera $-\alpha H g$. (Jeśli każdy krok ma własne przykłady, jak w artykule, jest to składnik z pierwszego rzędu; $\beta$ to mały współczynnik zewnętrzny.)
# - **ANIL** (ang. *almost no inner loop*; Raghu i in. 2020, [arXiv 1909.09157](https://arxiv.org/abs/1909.09157)): jak MAML, ale pętla wewnętrzna zmienia tylko głowicę (ang. *head*).
#
# **Ile kosztuje hesjan?** Nigdy go nie wypisuj: dla $10^5$ wag ma $10^{10}$ elementów. Potrzebny jest tylko iloczyn $H v$ z wektorem, a $H v = \nabla (g_S \cdot v)$ przy ustalonym $v$ to gradient liczby: jeszcze jedno przejście wstecz, przez to pierwsze.
#
# ## Kod
#
# Dzięki `torch.func` kod wygląda prawie jak wzory. `functional_call(model, params, x)` uruchamia model z wagami, które mu podasz, zamiast jego własnych; `grad(f)` to *funkcja*, która liczy gradient `f`, i można ją znów różniczkować; `vmap(f)` wykonuje `f` dla całej paczki (ang. *batch*) zadań naraz. W kodzie zbiór wsparcia nazywa się `train`, a `grad_and_value` oprócz gradientu podaje też wartość. `differentiate` i `only` służą szybkości i odmianie ANIL: na początku je pomiń.

# %%
show_source(adapt, meta_gradient)

# %% [markdown] lang="en"
# `adapt` is the inner loop; `meta_gradient` computes, for one task, the gradient that the outer loop needs. It differentiates `query_loss`, which contains the whole inner loop: that is where the formula with the Hessian comes from. First order differentiates the query loss at the end point only. The class `MAML` below averages these gradients over tasks and hands them to Adam.
#
# ## The experiment: sine curves
#
# The network of the paper: one number in, two hidden layers of 40 with ReLU, one number out. Each of the 1000 meta-steps draws 25 new curves with ten support and ten query points each; there is one inner step with $\alpha = 0.01$. Joint training gets the same network, the same points, as many steps of the same Adam. Then both adapt to 300 curves that neither has seen.
# %% [markdown] lang="pl"
# `adapt` to pętla wewnętrzna, a `meta_gradient` liczy dla jednego zadania gradient, którego potrzebuje pętla zewnętrzna. Różniczkuje `query_loss`, a w niej siedzi cała pętla wewnętrzna: stąd bierze się wzór z hesjanem. Pierwszy rząd różniczkuje stratę na zapytaniach tylko w punkcie końcowym. Klasa `MAML`, użyta niżej, uśrednia te gradienty po zadaniach i przekazuje optymalizatorowi Adam.
#
# ## Eksperyment: sinusoidy
#
# Sieć z artykułu: na wejściu jedna liczba, dwie warstwy ukryte po 40 z ReLU, na wyjściu jedna liczba. Każdy z 1000 metakroków losuje 25 nowych krzywych, z każdej po dziesięć punktów wsparcia i dziesięć zapytań; krok wewnętrzny jest jeden, z $\alpha = 0{,}01$. Trening łączny dostaje tę samą sieć, te same punkty i tyle samo kroków tego samego optymalizatora Adam. Potem obie sieci dostosowują się do 300 krzywych, których żadna nie widziała.

# %% tags=["predict"]
guess = Prediction(
    t("Without any step the squared error cannot be below 3.0. What does MAML reach on new curves after *one* step on ten points?",
      "Bez żadnego kroku błąd kwadratowy nie może być mniejszy niż 3,0. Ile osiągnie MAML na nowych krzywych po *jednym* kroku na dziesięciu punktach?"),
    low=0, high=5, step=0.1,
)
guess

# %%
def sine_network():
    seed_everything(SEED)
    return nn.Sequential(nn.Linear(1, 40), nn.ReLU(), nn.Linear(40, 40), nn.ReLU(), nn.Linear(40, 1))


def train_jointly(model, draws, rate):
    optimizer = torch.optim.Adam(model.parameters(), rate)
    for tasks in draws:
        x, y = (torch.cat(sets, 1).flatten(0, 1) for sets in zip(*tasks.values()))
        optimizer.zero_grad()
        F.mse_loss(model(x), y).backward()
        optimizer.step()


generator = torch.Generator().manual_seed(SEED)
draws = [sinusoid_tasks(25, seed=generator).tasks for _ in range(1000)]
meta, joint = MAML(sine_network(), inner_lr=0.01, outer_lr=0.01, loss=F.mse_loss), sine_network()
for tasks in draws:
    meta.outer_loop(tasks)
train_jointly(joint, draws, rate=0.01)

# %%
def task_errors(model, tasks, rate, steps):
    # en: The inner loop of MAML, from any model's weights: outputs after 0, 1, … steps.
    # pl: Pętla wewnętrzna z MAML, z wag dowolnego modelu: wyniki po 0, 1, … krokach.
    outputs = MAML(model, rate, loss=F.mse_loss).outputs(tasks, steps)
    return (outputs - tasks["query"][1][:, None]).square().mean((2, 3)).nan_to_num(1e9).clamp(max=1e9)


def errors(model, tasks, rate, steps=10):
    return task_errors(model, tasks, rate, steps).mean(0).tolist()


names = {"second order": "MAML", "pretrained": t("joint training", "trening łączny"), "from scratch": t("from scratch"),
         "first order": t("first order", "pierwszy rząd"), "ANIL": "ANIL", "Reptile": "Reptile"}
starts = dict(zip(names.values(), (meta.model, joint, sine_network())))
test = sinusoid_tasks(300, query=50, seed=SEED + 1).tasks
measured = {name: errors(model, test, rate=0.01) for name, model in starts.items()}
table([(name, *(error[k] for k in (0, 1, 2, 5, 10))) for name, error in measured.items()],
      [t("squared error after … inner steps", "błąd kwadratowy po … krokach wewnętrznych"), "0", "1", "2", "5", "10"])
guess.compare(measured["MAML"][1])

# %%
example = sinusoid_tasks(1, seed=SEED + 12, amplitude=(4, 4), phase=(1, 1))
(points, values), line = (part[0] for part in example.tasks["train"]), torch.linspace(-5, 5, 101)[:, None]


def fits(model, rate, steps):
    tasks = {"train": example.tasks["train"], "query": (line[None], line[None])}
    return MAML(model, rate, loss=F.mse_loss).outputs(tasks, steps)[0, :, :, 0]


fig, axes = plt.subplots(1, 2, figsize=(9.5, 3.4), sharey=True)
for ax, name in zip(axes, starts):
    ax.plot(line, example(line)[0], color=palette("grey"))
    curves = fits(starts[name], 0.01, 10)
    for step, style, colour in ((0, ":", "black"), (1, "-", "sky"), (10, "-", "red")):
        ax.plot(line, curves[step], style, color=palette(colour), label=step)
    ax.plot(points, values, "o", color=palette("black"), markersize=5)
    ax.set(title=name, xlabel="x", ylim=(-6, 6))
axes[0].set_ylabel("y")
axes[1].legend(title=t("inner steps", "kroki wewnętrzne"), loc="upper left", bbox_to_anchor=(1, 1))
show(fig, alt=t("A sine curve with ten points on it. From MAML's start the network follows the curve after one step and better after ten; from the joint start it is still far from it.",
                "Sinusoida i dziesięć jej punktów. Sieć MAML idzie za krzywą już po jednym kroku, a po dziesięciu lepiej; od startu łącznego wciąż jest od niej daleko."))

# %%
record, (fig, ax) = recorded("maml"), plt.subplots(figsize=(7, 3.6))
for (method, name), colour in zip(names.items(), ("red", "blue", "grey", "orange", "green", "purple")):
    band(ax, range(11), record.results["sinusoids"]["error"][method], name, colour)
ax.set(xlabel=t("inner steps", "kroki wewnętrzne"), ylabel=t("squared error", "błąd kwadratowy"), yscale="log", yticks=[0.2, 0.5, 1, 2, 5, 10], yticklabels=[0.2, 0.5, 1, 2, 5, 10], xticks=range(11))
ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
show(fig, alt=t("Squared error against inner steps: MAML falls fastest and lowest, joint training slowly; from scratch hardly changes.", "Błąd kwadratowy względem kroków wewnętrznych: MAML spada najszybciej i najniżej, trening łączny powoli, a od zera błąd prawie się nie zmienia."))
record.note()

# %% [markdown] lang="en"
# Before a step no network can be below 3.0, as computed. Joint training is trained to reach that floor; MAML is not, yet it stands near it, too. One step, and MAML's error falls to a fraction of that, while the joint network has hardly begun. It does learn, though: fine-tuning from it beats training from scratch. What it lacks is not knowledge of sine curves but steepness in the right directions. (From scratch, fitting ten points soon makes the curve between them worse.)
#
# The last figure is recorded: means and 95 % intervals over ten seeds, with 600 new curves each. All variants had 1000 meta-steps, Reptile with five inner steps in each; joint training had four times as many steps, for they are cheaper. Fine-tuning from it uses the rate that suited it best, training from scratch the one that was best for the first step. After one step MAML leads; first order, which is cheaper, and Reptile, which needs no query set, follow about level. ANIL is the last of the four: with fixed features a new head cannot do everything here, and with many more steps than the one it was trained with its error even grows again. And the start of first order is bad *before* the step; nobody asked it to be good there.
#
# **What has changed inside?** The theory says: MAML is content if one step reaches the goal, that is, if the curvature in the directions that matter is close to $1/\alpha$. Measure it: the largest eigenvalue $\lambda$ of the Hessian at the start, on the support sets of fifty new tasks. Multiply almost any vector by $H$ again and again, with its length set back to 1, and it turns into the direction of the eigenvalue that is largest in size (power iteration); the $1761 \times 1761$ matrix is never written down.
#
# Then **explore**: move the number of inner steps and the inner rate. Which start can use a larger rate than 0.01? Does the joint start reach what MAML does in one step, and at which rate?
# %% [markdown] lang="pl"
# Przed pierwszym krokiem żadna sieć nie może zejść poniżej obliczonego progu 3,0. Trening łączny właśnie do niego dąży; MAML nie musi, a mimo to też stoi w pobliżu. Po jednym kroku błąd MAML spada do ułamka tej wartości, a sieć trenowana łącznie ledwie ruszyła z miejsca. Czegoś jednak się nauczyła: dostrajanie jej daje lepszy wynik niż trening od zera. Brakuje jej nie wiedzy o sinusoidach, tylko stromizny we właściwych kierunkach. (Przy treningu od zera dopasowanie do dziesięciu punktów szybko psuje krzywą między nimi.)
#
# Ostatni rysunek to zapisane przebiegi: średnie i przedziały ufności 95 % z dziesięciu ziaren losowości, za każdym razem na 600 nowych krzywych. Wszystkie odmiany miały po 1000 metakroków, Reptile z pięcioma krokami wewnętrznymi w każdym; trening łączny miał cztery razy więcej kroków, bo są tańsze. Dostrajanie zaczęte od niego używa współczynnika, który służył mu najlepiej, a trening od zera tego, który był najlepszy w pierwszym kroku. Po jednym kroku prowadzi MAML; pierwszy rząd, który jest tańszy, i Reptile, który obywa się bez zbioru zapytań, idą za nim łeb w łeb. ANIL jest z tej czwórki ostatni: przy stałych cechach sama nowa głowica nie wystarcza, a gdy kroków jest o wiele więcej niż ten jeden, z którym trenowano, jego błąd nawet znów rośnie. A start pierwszego rzędu jest *przed* krokiem zły; nikt nie kazał mu być tam dobrym.
#
# **Co zmieniło się w środku?** Teoria mówi: MAML jest zadowolony, gdy jeden krok dochodzi do celu, czyli gdy krzywizna w ważnych kierunkach jest bliska $1/\alpha$. Zmierz to: największą wartość własną $\lambda$ hesjanu w punkcie startowym, na zbiorach wsparcia pięćdziesięciu nowych zadań. Prawie każdy wektor mnożony raz po raz przez $H$ i skracany do długości 1 obraca się w kierunku największej co do modułu wartości własnej (metoda potęgowa, ang. *power iteration*); macierzy $1761 \times 1761$ wcale nie trzeba wypisywać.
#
# Potem **zbadaj**: zmieniaj liczbę kroków wewnętrznych i współczynnik wewnętrzny. Któremu startowi służy współczynnik większy niż 0,01? Czy start łączny dochodzi tam, dokąd MAML dochodzi w jednym kroku, i przy jakim współczynniku?

# %%
def steepest(model, train, iterations=20):
    start = MAML(model, loss=F.mse_loss).start

    def of_one(x, y):
        slope = grad(lambda params: F.mse_loss(functional_call(model, params, (x,)), y))
        v = slope(start)
        for _ in range(iterations):
            length = sum(part.square().sum() for part in v.values()).sqrt()
            unit = {name: part / length for name, part in v.items()}
            v = grad(lambda params, unit=unit: sum((part * unit[name]).sum() for name, part in slope(params).items()))(start)
        return sum((v[name] * unit[name]).sum() for name in v)

    return vmap(of_one)(*train)


few = sinusoid_tasks(50, seed=SEED + 2).tasks["train"]
sharpness = {name: 0.01 * steepest(model, few) for name, model in starts.items()}
fig, ax = plt.subplots(figsize=(7, 2.4))
for y, (values_of, colour) in enumerate(zip(sharpness.values(), ("red", "blue", "grey"))):
    ax.plot(values_of, y + np.linspace(-0.25, 0.25, 50), ".", color=palette(colour))
ax.set(yticks=range(3), yticklabels=sharpness, xlabel=t("largest curvature times the rate, αλ", "największa krzywizna razy współczynnik, αλ"), xlim=(0, None))
ax.invert_yaxis()
for at, says in ((1, t("one step arrives", "jeden krok trafia w dno")), (2, t("unstable", "niestabilne"))):
    ax.axvline(at, color=palette("black"), linestyle=":")
    ax.text(at, -0.65, says, ha="center", fontsize=9)
show(fig, alt=t("The largest curvature times the inner rate for fifty tasks: with MAML around 1.4, with joint training around a half or less, untrained around a quarter; 1 and 2 are marked.",
                "Największa krzywizna razy współczynnik wewnętrzny dla pięćdziesięciu zadań: w MAML około 1,4, w treningu łącznym około połowy lub mniej, bez treningu około ćwierci; zaznaczono 1 i 2."))

# %% tags=["widget"]
def draw(steps, rate):
    fig, axes = plt.subplots(1, 2, figsize=(9, 3.4), sharey=True)
    said = []
    for ax, name in zip(axes, starts):
        curve = fits(starts[name], rate, steps)[-1]
        error = (curve - example(line)[0, :, 0]).square().mean().item()
        ax.plot(line, example(line)[0], color=palette("grey"))
        ax.plot(line, curve, color=palette("red"))
        ax.plot(points, values, "o", color=palette("black"), markersize=5)
        said.append(f"{name}: {error:.3g}")
        ax.set(title=t("{}, error {:.3g}", "{}, błąd {:.3g}").format(name, error), xlabel="x", ylim=(-6, 6))
    return fig, t(f"After {steps} steps at the rate {rate}, squared error: ", f"Po {steps} krokach ze współczynnikiem {rate} błąd kwadratowy: ") + "; ".join(said)


explorer = explore(draw, steps=range(0, 21), rate=[0.001, 0.003, 0.01, 0.015, 0.02, 0.03],
                   labels={"steps": t("inner steps", "kroki wewnętrzne"), "rate": t("inner rate α", "współczynnik wewnętrzny α")})
explorer.controls["rate"].value = 0.01
explorer

# %% [markdown] lang="en"
# Each dot above is a task. MAML has built its motorways: the steepest direction has a curvature somewhat above $1/\alpha$, well above that of the joint start. (Not exactly $1/\alpha$: one start serves all tasks, and the steepest direction is only one of those that matter.) It has fitted the *weights to the rate*. The joint start is flatter, and takes a larger rate well; MAML's start stands nearer to the edge. For along a direction of curvature $\lambda$ a step multiplies the distance to the bottom by $1 - \alpha\lambda$: beyond $\alpha\lambda = 2$ it overshoots by more than it set out to cover. (So it is for a quadratic loss; here the curvature changes on the way.)
#
# ## The experiment: unseen scripts
#
# Back to the characters of lesson 08, drawn as if by hand, of scripts that were not in the training: 5-way 1-shot. In the figure, the first column is the support set, one example of each class; the others are to be named. In every episode the classes are renumbered 0 to 4 at random. (If a class always had the same number, the network could learn the numbers and would not need the support set at all; Yin et al. 2020, [arXiv 1912.03820](https://arxiv.org/abs/1912.03820).)
#
# The encoder has the paper's four convolutional blocks, with 32 channels; as there, strides halve the maps instead of pooling, so that 2 × 2 places of 32 channels are left, 128 features. Its batch normalisation uses the batch at hand, for running averages would mix the tasks. (So the queries of an episode help each other a little: the test is *transductive*, as in the paper. Prototypes see support and query as one batch, the others as two.) On top is a linear head with five outputs. MAML takes 150 meta-steps of four episodes, with $\alpha = 0.4$ as in the paper. Its opponent is as plain as can be: a **classifier** of all training characters, trained for two epochs, which takes less time. Then its head is thrown away, and a new one, all zeros, is fine-tuned together with the encoder on the five support images, with the rate 0.1. Or nothing is fine-tuned at all, and the nearest **prototype** decides: with one example per class, the nearest support image in the space of features.
# %% [markdown] lang="pl"
# Każda kropka powyżej to zadanie. MAML zbudował swoje autostrady: najbardziej stromy kierunek ma krzywiznę nieco ponad $1/\alpha$, wyraźnie większą niż przy starcie łącznym. (Nie dokładnie $1/\alpha$: jeden start służy wszystkim zadaniom, a najbardziej stromy kierunek jest tylko jednym z ważnych.) Dopasował *wagi do współczynnika*. Start łączny jest bardziej płaski i dobrze znosi większy współczynnik; start MAML stoi bliżej krawędzi. Wzdłuż kierunku o krzywiźnie $\lambda$ krok mnoży bowiem odległość od dna przez $1 - \alpha\lambda$: powyżej $\alpha\lambda = 2$ mija cel o więcej, niż miał do przejścia. (Tak jest dla straty kwadratowej; tutaj krzywizna zmienia się po drodze.)
#
# ## Eksperyment: nieznane pisma
#
# Wracają znaki z lekcji 08, rysowane jakby ręcznie, z pism, których nie było w treningu: 5 klas po 1 przykładzie. Na rysunku pierwsza kolumna to zbiór wsparcia, po jednym przykładzie każdej klasy; pozostałe trzeba nazwać. W każdym epizodzie klasy dostają numery od 0 do 4 na nowo, losowo. (Gdyby klasa miała zawsze ten sam numer, sieć mogłaby nauczyć się numerów i zbiór wsparcia byłby jej niepotrzebny; Yin i in. 2020, [arXiv 1912.03820](https://arxiv.org/abs/1912.03820).)
#
# Enkoder ma cztery bloki splotowe z artykułu, po 32 kanały; tak jak tam mapy zmniejsza krok splotu, a nie wybór maksimum, więc zostają 2 × 2 miejsca po 32 kanały, czyli 128 cech. Jego normalizacja wsadowa (ang. *batch normalization*) używa bieżącej paczki, bo średnie kroczące mieszałyby zadania. (Zapytania jednego epizodu trochę więc sobie pomagają: test jest *transdukcyjny*, jak w artykule. Prototypy widzą wsparcie i zapytania jako jedną paczkę, pozostałe metody jako dwie.) Na nim stoi liniowa głowica o pięciu wyjściach. MAML robi 150 metakroków po cztery epizody, z $\alpha = 0{,}4$ jak w artykule. Jego przeciwnik jest najprostszy z możliwych: **klasyfikator** wszystkich znaków treningowych, trenowany przez dwie epoki, co trwa krócej. Potem jego głowicę wyrzucamy, a nową, z samych zer, dostrajamy razem z enkoderem na pięciu obrazach wsparcia, ze współczynnikiem 0,1. Albo niczego nie dostrajamy i decyduje najbliższy **prototyp** (ang. *prototype*): przy jednym przykładzie na klasę to najbliższy obraz wsparcia w przestrzeni cech.

# %%
known, unknown = glyphs(TRAINING, drawers=10, seed=SEED), glyphs(HELD_OUT, drawers=10, seed=SEED + 1000)


def episodes(characters, count, query, seed):
    images, sampler = characters.images, EpisodeSampler(characters.labels, n_query=query, episodes=count, seed=seed)
    return [{"train": (images[e.support], e.support_labels), "query": (images[e.query], e.query_labels)} for e in sampler]


exams = episodes(unknown, 200, query=4, seed=SEED)
fig = image_grid(torch.cat([pair[0].unflatten(0, (5, -1)) for pair in exams[0].values()], 1).flatten(0, 1), rows=5, row_names=list("01234"), size=0.6)
show(fig, alt=t("Five rows of five white characters on black; the first of each row is the support example.", "Pięć rzędów po pięć białych znaków na czarnym tle; pierwszy w rzędzie to przykład ze zbioru wsparcia."))

# %% tags=["predict"]
guess = Prediction(
    t("Is MAML ahead of the plain classifier, fine-tuned, on characters of unseen scripts?", "Czy na znakach nieznanych pism MAML wyprzedza zwykły, dostrojony klasyfikator?"),
    [t("yes, by more than 5 points", "tak, o ponad 5 pkt proc."), t("yes, by 2 to 5 points", "tak, o 2 do 5 pkt proc."), t("no", "nie")],
)
guess

# %%
def character_network(classes):
    seed_everything(SEED)
    encoder = conv4(32, pooling=False, normalization=partial(nn.BatchNorm2d, track_running_stats=False))
    return nn.Sequential(encoder, nn.Linear(128, classes))


meta_reader, training = MAML(character_network(5), inner_lr=0.4, outer_lr=3e-3), episodes(known, 600, query=3, seed=SEED)
schedule = torch.optim.lr_scheduler.LinearLR(meta_reader.optimizer, 1, 0.1, 150)
for i in range(0, 600, 4):
    meta_reader.outer_loop(training[i : i + 4])
    schedule.step()

reader = character_network(len(known.names))
fit(reader, (known.images, known.labels), optimizer=torch.optim.Adam(reader.parameters(), 3e-3), epochs=2, batch_size=64, seed=SEED)
reader[1] = nn.Linear(128, 5)
for parameter in reader[1].parameters():
    nn.init.zeros_(parameter)

# %%
def accuracies(model, rate):
    return (MAML(model, rate).outputs(exams, 3).argmax(-1) == torch.stack([e["query"][1] for e in exams])[:, None]).float().mean((0, 2)).tolist()


live = {"second order": accuracies(meta_reader.model, 0.4), "pretrained": accuracies(reader, 0.1), "prototypes": 4 * [evaluate_episodes(PrototypicalNetwork(reader[0]), unknown.images, EpisodeSampler(unknown.labels, n_query=4, episodes=200, seed=SEED)).mean]}
readers = names | {"pretrained": t("classifier, fine-tuned", "klasyfikator dostrojony"), "prototypes": t("classifier, prototypes", "klasyfikator, prototypy")}
table([(readers[m], *(live[m][k] if m in live else None for k in (1, 3)), *(mean_pm(np.array(runs)[:, min(k, len(runs[0]) - 1)]) for k in (1, 5))) for m in ("second order", "first order", "ANIL", "pretrained", "prototypes") for runs in [record.results["glyphs"]["accuracy"][m]]],
      [t("accuracy", "dokładność"), t("live: 1 step", "na żywo: 1 krok"), t("3 steps", "3 kroki"), t("recorded: 1 step", "zapisane: 1 krok"), t("5 steps", "5 kroków")])
guess.compare(0 if (gap := live["second order"][3] - live["pretrained"][3]) > 0.05 else 1 if gap > 0.02 else 2)

# %% [markdown] lang="en"
# The plain classifier, trained in less time, is no worse than MAML, and in the recorded runs better; the nearest prototype, which adapts nothing at all, keeps up. The recorded runs are six seeds, 600 episodes each, MAML with 400 meta-steps; the others with as many steps as fit into about the same time. (There, prototypes use running averages, so queries do not help each other.)
#
# Why? With a head of zeros no gradient reaches the encoder, so the first step moves the head alone. All five classes have the probability 1/5, and one step with the rate $\alpha$ on one example per class, with features $f_0, \dots, f_4$ and their mean $\bar f$, gives the head's row of class $c$ the value $\frac{\alpha}{5}(f_c - \bar f)$, and leaves its bias at 0. The term with $\bar f$ is the same for every class, so the class wins whose prototype $f_c$ has the largest product with the features of the query: **the first step of fine-tuning is a classifier by prototypes**, with an inner product in the place of lesson 08's distance. What is left to do is good features, and those a plain classifier of 949 characters learns well. ANIL says the same from the other side: it adapts the head only and loses nothing (Raghu et al. 2020); in the recorded runs it even comes out ahead, with more meta-steps in the same time. First order learns more slowly here, probably because $\alpha = 0.4$ is large and so $\alpha H$ is not small. Chen et al. 2019 ([arXiv 1904.04232](https://arxiv.org/abs/1904.04232)) and Tian et al. 2020 ([arXiv 2003.11539](https://arxiv.org/abs/2003.11539)) found on photographs, too, that a well-trained classifier with a simple head is as good as meta-learning, or better.
#
# **What the paper reported** (Finn et al. 2017, table 1): 98.7 ± 0.4 % on Omniglot, 5-way 1-shot, with real handwriting by 20 people, 1200 training characters and their rotations, 64 channels and 60,000 meta-steps of 32 tasks. We have 949 letters from fonts, 32 channels and 400 meta-steps of four tasks (150 live). Compare methods within one setting, not tables across.
#
# ### A second opinion
#
# A wrong meta-gradient still trains, only worse; nobody notices. So let another library compute it: **learn2learn** (Arnold et al. 2020, [arXiv 2008.12284](https://arxiv.org/abs/2008.12284)) gets the same network and the same 25 tasks. It copies the network for each task (`clone`), adapts the copy (`adapt`) and keeps the graph. If it is not installed here, the cell says so.
# %% [markdown] lang="pl"
# Zwykły klasyfikator, trenowany krócej, nie jest gorszy od MAML, a w zapisanych przebiegach jest lepszy; najbliższy prototyp, który niczego nie dostosowuje, dotrzymuje im kroku. Zapisane przebiegi to sześć ziaren, po 600 epizodów, MAML z 400 metakrokami, pozostałe z tyloma krokami, ile mieści się w mniej więcej tym samym czasie. (Prototypy używają tam średnich kroczących, więc zapytania sobie nie pomagają.)
#
# Dlaczego? Przy głowicy z samych zer do enkodera nie dochodzi żaden gradient, więc pierwszy krok zmienia samą głowicę. Wszystkie pięć klas ma prawdopodobieństwo 1/5 i jeden krok ze współczynnikiem $\alpha$ na jednym przykładzie każdej klasy, o cechach $f_0, \dots, f_4$ i średniej $\bar f$, nadaje wierszowi głowicy dla klasy $c$ wartość $\frac{\alpha}{5}(f_c - \bar f)$, a wyraz wolny zostawia równy 0. Składnik z $\bar f$ jest dla wszystkich klas ten sam, więc wygrywa klasa, której prototyp $f_c$ ma największy iloczyn z cechami zapytania: **pierwszy krok dostrajania to klasyfikator prototypowy**, z iloczynem skalarnym zamiast odległości z lekcji 08. Reszta to dobre cechy, a tych zwykły klasyfikator 949 znaków uczy się dobrze. ANIL mówi to samo z drugiej strony: choć dostosowuje tylko głowicę, nie traci nic (Raghu i in. 2020), a w zapisanych przebiegach nawet wyprzedza MAML, bo w tym samym czasie robi więcej metakroków. Pierwszy rząd uczy się tutaj wolniej, zapewne dlatego, że $\alpha = 0{,}4$ jest duże, a więc $\alpha H$ nie jest małe. Chen i in. 2019 ([arXiv 1904.04232](https://arxiv.org/abs/1904.04232)) oraz Tian i in. 2020 ([arXiv 2003.11539](https://arxiv.org/abs/2003.11539)) stwierdzili także na fotografiach, że dobrze wytrenowany klasyfikator z prostą głowicą jest równie dobry jak metauczenie albo lepszy.
#
# **Co wyszło w artykule** (Finn i in. 2017, tabela 1): 98,7 ± 0,4 % na Omniglot, 5 klas po 1 przykładzie, na prawdziwym piśmie 20 osób, z 1200 znakami treningowymi i ich obrotami, 64 kanałami i 60 000 metakroków po 32 zadania. My mamy 949 liter z czcionek, 32 kanały i 400 metakroków po cztery zadania (na żywo 150). Porównuj metody w tych samych warunkach, a nie tabele z różnych prac.
#
# ### Druga opinia
#
# Z błędnym metagradientem sieć też się uczy, tylko gorzej, i nikt tego nie zauważa. Niech więc policzy go inna biblioteka: **learn2learn** (Arnold i in. 2020, [arXiv 2008.12284](https://arxiv.org/abs/2008.12284)) dostaje tę samą sieć i te same 25 zadań. Dla każdego zadania kopiuje sieć (`clone`), dostosowuje kopię (`adapt`) i zachowuje graf obliczeń. Jeśli nie masz learn2learn, komórka to zgłosi.

# %%
learn2learn = None
with contextlib.suppress(ImportError), contextlib.redirect_stderr(io.StringIO()):
    import learn2learn


def theirs(model, tasks, steps, variant):
    maml, total = learn2learn.algorithms.MAML(model, lr=0.01, first_order=variant == "first order"), 0
    for x, y, query_x, query_y in zip(*tasks["train"], *tasks["query"]):
        learner = maml.clone()
        for _ in range(steps):
            learner.adapt(F.mse_loss(learner(x), y))
        total = total + F.mse_loss(learner(query_x), query_y) / 25
    return torch.autograd.grad(total, list(model.parameters()))


def ours(model, tasks, steps, variant):
    return MAML(model, 0.01, loss=F.mse_loss, inner_steps=steps, variant=variant).meta_gradient(tasks)[0].values()


def compare(steps, variant, dtype):
    model = sine_network().to(dtype)
    tasks = {part: tuple(tensor.to(dtype) for tensor in pair) for part, pair in draws[0].items()}
    gap = max((a - b).abs().max().item() for a, b in zip(ours(model, tasks, steps, variant), theirs(model, tasks, steps, variant)))
    return gap, *(1000 * min(timeit.repeat(partial(way, model, tasks, steps, variant), number=1, repeat=3)) for way in (ours, theirs))


# %%
rows = []
for variant, steps in product(("second order", "first order"), (1, 5)) if learn2learn else ():
    (gap, *_), (gap64, *_) = (single := compare(steps, variant, torch.float32)), compare(steps, variant, torch.float64)
    rows.append((names[variant], steps, f"{gap:.0e}", f"{gap64:.0e}", *(f"{ms:.1f}" for ms in single[1:])))
columns = [t("variant", "odmiana"), t("inner steps", "kroki wewnętrzne"), t("difference, 32 bits", "różnica, 32 bity"), t("64 bits", "64 bity"), t("ms, ours", "ms, nasza"), "ms, learn2learn"]
table(rows or [(t("learn2learn is not installed", "learn2learn nie jest zainstalowana"), *5 * [None])], columns)

# %% [markdown] lang="en"
# Two libraries, written apart, agree up to rounding. And the seconds? On this perceptron each operation is so small that calling it costs more than computing it; `vmap` makes one call of 25, and is several times faster than the loop of learn2learn. On images it is another matter: there the convolutions themselves are the work. Each task has its own weights, so `vmap` makes one *grouped* convolution of them, which is hardly faster than separate ones, while the derivatives of batch normalisation become slower; batching over tasks then gains little or nothing.
#
# ## When it fails
#
# **Another rate, other inputs.** MAML has fitted its start to one rate and one kind of task. What if the rate is doubled? What if the points lie where no task had any, $x$ from 5 to 10? And what if the curves are new, phases from $\pi$ to $2\pi$ (each old curve upside down)? Always ten points, and the error after each step; the figure shows the *median* task, dotted the error of the answer 0. The table says for how many tasks the first step does harm.
# %% [markdown] lang="pl"
# Dwie niezależnie napisane biblioteki zgadzają się z dokładnością do błędów zaokrągleń. A czas? W tym perceptronie każda operacja jest tak mała, że jej wywołanie kosztuje więcej niż obliczenie; `vmap` robi z 25 wywołań jedno i jest kilka razy szybsze niż pętla w learn2learn. Z obrazami jest inaczej: tam prawie cały czas zajmują same sploty. Każde zadanie ma własne wagi, więc `vmap` robi z nich jeden splot *grupowany* (ang. *grouped convolution*), niewiele szybszy niż osobne, a pochodne normalizacji wsadowej stają się wolniejsze; liczenie wielu zadań naraz daje wtedy niewiele albo nic.
#
# ## Kiedy to zawodzi
#
# **Inny współczynnik, inne wejścia.** MAML dopasował start do jednego współczynnika i jednego rodzaju zadań. A jeśli współczynnik podwoić? A jeśli punkty leżą tam, gdzie żadne zadanie ich nie miało, $x$ od 5 do 10? A jeśli nowe są krzywe, z fazą od $\pi$ do $2\pi$ (każda dawna krzywa do góry nogami)? Zawsze dziesięć punktów i błąd po każdym kroku; rysunek pokazuje *medianę* zadań, a kropkowana linia błąd odpowiedzi 0. Tabela mówi, ilu zadaniom pierwszy krok szkodzi.

# %%
settings = {
    t("as in training", "jak w treningu"): (test, 0.01),
    t("twice the rate", "podwójny współczynnik"): (test, 0.02),
    t("x from 5 to 10", "x od 5 do 10"): (sinusoid_tasks(300, query=50, seed=SEED + 1, inputs=(5, 10)).tasks, 0.01),
    t("curves upside down", "krzywe do góry nogami"): (sinusoid_tasks(300, query=50, seed=SEED + 1, phase=(math.pi, 2 * math.pi)).tasks, 0.01),
}
failing = {title: {name: task_errors(model, *how, steps=5) for name, model in starts.items()} for title, how in settings.items()}
fig, axes = plt.subplots(1, 4, figsize=(11, 3.2), sharey=True)
for ax, (title, runs) in zip(axes, failing.items()):
    for (name, error), colour in zip(runs.items(), ("red", "blue", "grey")):
        ax.plot(error.median(0).values, "o-", color=palette(colour), label=name, markersize=4)
    ax.axhline(settings[title][0]["query"][1].square().mean((1, 2)).median(), color=palette("black"), linestyle=":")
    ax.set(title=title, xlabel=t("inner steps", "kroki wewnętrzne"), yscale="log", ylim=(0.1, 1000), xticks=range(6))
axes[0].set_ylabel(t("squared error, median", "błąd kwadratowy, mediana"))
axes[-1].legend(fontsize=9)
show(fig, alt=t("Median squared error against inner steps in four settings: MAML is best but for x from 5 to 10, where its error shoots up.",
                "Mediana błędu kwadratowego względem kroków wewnętrznych w czterech warunkach: MAML jest najlepszy, tylko przy x od 5 do 10 jego błąd wystrzela."))
harmed = {title: {name: (error[:, 1] > error[:, 0]).float().mean().item() for name, error in runs.items()} for title, runs in failing.items()}
table([(title, *shares.values()) for title, shares in harmed.items()], [t("tasks made worse by the first step", "zadania, które pierwszy krok pogorszył"), *starts])

# %% [markdown] lang="en"
# Double the rate, and most tasks still do far better from MAML's start. But for about a quarter of them the first step now does harm: $\alpha\lambda$ has passed 2, so along the steepest direction the error grows, and where that direction weighs most, so does all of it. Most of these recover, as the curvature falls on the way; a few diverge altogether, and they alone would drive a *mean* to astronomical heights. The joint start takes the double rate well. At $x$ from 5 to 10 the network was never asked anything, so nothing kept the curvature there in check (it grows with the inputs), and the very first step throws the network far off on nearly every task; from scratch it would have been better. Curves upside down, by contrast, surprise the network but do not defeat it: the start is worse than the answer 0, for it expects the old curves, and yet a few steps correct it. **You may rely on what the training tasks had in common, but not on anything that they never had to cope with.** Before you use a meta-learned start, check whether the error falls with the steps. One line of code is enough.
#
# **When MAML gains nothing.** On the scripts, plain training was enough. MAML pays where tasks *contradict* each other, so that one network for all can only answer with their mean, as with the sine curves.
#
# ## In robotics
#
# Nagabandi et al. 2019 ([arXiv 1803.11347](https://arxiv.org/abs/1803.11347)) do not adapt what a robot does but what it *expects*: a **dynamics model**, a network that predicts from state and action what comes next; a planner tries its actions out in it. The model was meta-trained so that a gradient step on the last few moments fits it to the present: a task is nothing but a short stretch of time. In simulation a half-cheetah kept running with a joint disabled that had never been disabled in training; and a real six-legged millirobot coped with a missing leg, with slopes, with a load that it pulled, and with errors in its estimated pose.
#
# Here is the heart of that, small. The half-cheetah, a runner in a plane, has six motors. In each simulated robot somewhat under half of them work, on average; the others are **dead** or, about as often, have been connected **the wrong way round** in a repair. 128 robots are for training; 32 others, with combinations that no training robot has, are for the test. All move at random. The model sees 17 numbers of the state and 6 of the action, and predicts the change of the state, standardised so that an error of 1 is that of guessing the mean. A task: adapt to 32 transitions (1.6 seconds), predict the 32 after them. The plain model sees the same stretches of time three times over, for its training steps are cheaper, and is fine-tuned with the rate that suited it best.
# %% [markdown] lang="pl"
# Po podwojeniu współczynnika w większości zadań start MAML nadal wypada o wiele lepiej niż łączny. Ale mniej więcej co czwartemu pierwszy krok teraz szkodzi: $\alpha\lambda$ przekroczyło 2, więc wzdłuż najbardziej stromego kierunku błąd rośnie, a tam, gdzie ten kierunek waży najwięcej, rośnie cały. Większość z nich dochodzi potem do siebie, bo krzywizna po drodze maleje; kilka rozbiega się na dobre i już one same wyniosłyby *średnią* na astronomiczne wysokości. Start łączny dobrze znosi podwójny współczynnik. Przy $x$ od 5 do 10 nikt nigdy o nic sieci nie pytał, więc nic nie trzymało tam krzywizny w ryzach (rośnie ona z wejściami) i już pierwszy krok prawie w każdym zadaniu wyrzuca sieć daleko; od zera byłoby lepiej. Krzywe do góry nogami zaskakują sieć, ale jej nie pokonują: start jest gorszy niż odpowiedź 0, bo spodziewa się dawnych krzywych, a jednak kilka kroków go poprawia. **Możesz polegać na tym, co było wspólne dla zadań treningowych, ale nie na tym, czego w żadnym z nich nie było.** Zanim użyjesz startu z metauczenia, sprawdź, czy błąd maleje z krokami. Wystarczy jeden wiersz kodu.
#
# **Kiedy MAML nic nie daje.** Na pismach wystarczył zwykły trening. MAML opłaca się tam, gdzie zadania sobie *przeczą*, tak że jedna sieć dla wszystkich może odpowiedzieć tylko ich średnią, jak przy sinusoidach.
#
# ## W robotyce
#
# Nagabandi i in. 2019 ([arXiv 1803.11347](https://arxiv.org/abs/1803.11347)) dostosowują nie to, co robot robi, tylko to, czego się *spodziewa*: **model dynamiki** (ang. *dynamics model*), sieć, która ze stanu i akcji przewiduje, co będzie dalej; planista wypróbowuje w nim swoje akcje. Model metatrenowano tak, żeby krok gradientu na kilku ostatnich chwilach dopasował go do teraźniejszości: zadaniem jest po prostu krótki odcinek czasu. W symulacji *half-cheetah* biegł dalej z wyłączonym stawem, który w treningu nigdy nie był wyłączony; a prawdziwy sześcionożny minirobot radził sobie z brakiem nogi, z pochyłościami, z ciągniętym ładunkiem i z błędami w ocenie własnego położenia.
#
# Oto sedno tego w małej skali. *Half-cheetah*, dwunożny biegacz poruszający się w jednej płaszczyźnie, ma sześć silników. W symulowanym robocie sprawna jest średnio niespełna połowa z nich; z reszty mniej więcej połowa **nie działa** wcale, a połowę podczas naprawy podłączono **odwrotnie**. Na 128 robotach trenujemy, a na 32 innych, z kombinacjami usterek, których nie ma żaden robot treningowy, sprawdzamy wynik. Wszystkie ruszają się losowo. Model widzi 17 liczb stanu i 6 akcji, a przewiduje zmianę stanu, wystandaryzowaną tak, że błąd 1 ma ten, kto zgaduje średnią. Zadanie: dostosuj się do 32 przejść (1,6 sekundy) i przewiduj następne 32. Zwykły model widzi te same odcinki czasu trzy razy, bo kroki jego treningu są tańsze, a dostrajamy go ze współczynnikiem, który służył mu najlepiej.

# %% tags=["predict"]
guess = Prediction(
    t("What share of its error on robots never seen does the MAML model lose by one step on 1.6 seconds?",
      "O ile procent zmaleje błąd modelu MAML na nigdy niewidzianych robotach po jednym kroku na danych z 1,6 sekundy?"),
    low=0, high=100, unit="%",
)
guess

# %%
def random_motion(gears, seed):
    env = HalfCheetah(len(gears), threads=2)
    env.set_physics(**{f"gear_{motor}": gears[:, i] for i, motor in enumerate(MOTORS)})
    return babble(env, 200, seed=seed, smoothness=0.3)


rng = np.random.default_rng(SEED)
gears = rng.permutation(np.unique(rng.choice([1.0, 1.0, 0.0, -1.0], size=(640, 6)), axis=0))
seen = Transitions.of(*random_motion(gears[:128], SEED))
new = Transitions.of(*random_motion(gears[128:160], SEED + 1000), seen.scale)
injuries = new.tasks(300, 32, 32, generator=torch.Generator().manual_seed(SEED))

# %%
def dynamics():
    seed_everything(SEED)
    return nn.Sequential(nn.Linear(23, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 17))


lives, plain = [seen.tasks(16, 32, 32, generator=torch.Generator().manual_seed(1000 * SEED + i)) for i in range(500)], dynamics()
train_jointly(plain, 3 * lives, rate=0.001)
body = MAML(dynamics(), inner_lr=0.5, outer_lr=0.005, loss=F.mse_loss)
for tasks in lives:
    body.outer_loop(tasks)
felt = {"MAML": errors(body.model, injuries, 0.5, 5), t("plain model, fine-tuned", "zwykły model, dostrojony"): errors(plain, injuries, 0.2, 5)}
table([(name, *error) for name, error in felt.items()], [t("squared error after … inner steps", "błąd kwadratowy po … krokach wewnętrznych"), *map(str, range(6))])
guess.compare(100 * (1 - felt["MAML"][1] / felt["MAML"][0]))

# %% [markdown] lang="en"
# Before the step the MAML model is the worse one, as in the example by hand; one step on 1.6 seconds takes it far below the plain model, after whichever of the five steps one stops. The same command turns a joint forwards in one robot and backwards in the next, and no single state tells which robot it is: here, too, the tasks contradict each other, and their mean is no good start.
#
# ## Exercises
#
# **1. The inner step.** `loss(params)` is a scalar, `params` a dict of named tensors with `requires_grad`, `inner_lr` is $\alpha$. Return the adapted weights $\theta' = \theta - \alpha \nabla L(\theta)$ as a dict with the same names, so that a gradient can flow back through them to `params`, Hessian and all. (`torch.func.grad` or `torch.autograd.grad`, as you like.)
# %% [markdown] lang="pl"
# Przed krokiem model MAML jest gorszy, jak w przykładzie ręcznym; już jeden krok na danych z 1,6 sekundy sprowadza jego błąd znacznie poniżej błędu zwykłego modelu, niezależnie od tego, po ilu z pięciu kroków przerwać dostrajanie tego drugiego. To samo polecenie obraca staw w jednym robocie do przodu, a w drugim do tyłu, i żaden pojedynczy stan nie mówi, który to robot: także tu zadania sobie przeczą, a ich średnia nie jest dobrym startem.
#
# ## Ćwiczenia
#
# **1. Krok wewnętrzny.** `loss(params)` to liczba, `params` to słownik nazwanych tensorów z `requires_grad`, a `inner_lr` to $\alpha$. Zwróć dostosowane wagi $\theta' = \theta - \alpha \nabla L(\theta)$ jako słownik o tych samych nazwach, tak żeby gradient mógł przez nie wrócić do `params` razem z hesjanem. (Możesz użyć `torch.func.grad` albo `torch.autograd.grad`.)

# %% tags=["exercise"]
def inner_step(loss, params, inner_lr):
    return ...


# %% [markdown] lang="en" tags=["hint"]
# `torch.func.grad(loss)(params)` is a dict of gradients with the names of `params`, and it can be differentiated again. With `torch.autograd.grad(loss(params), list(params.values()))` one argument is missing for that: `create_graph=True`.
# %% [markdown] lang="pl" tags=["hint"]
# `torch.func.grad(loss)(params)` to słownik gradientów o nazwach z `params`, który można znów różniczkować. W `torch.autograd.grad(loss(params), list(params.values()))` brakuje do tego jednego argumentu: `create_graph=True`.

# %% tags=["check"]
check("inner_step", inner_step)


# %% tags=["solution"]
def inner_step(loss, params, inner_lr):
    gradient = torch.func.grad(loss)(params)
    return {name: params[name] - inner_lr * gradient[name] for name in params}


# %% [markdown] lang="en"
# **2. The Hessian that nobody writes down.** `loss` is the support loss, a function of one vector `theta`; `v`, a constant vector of the same length, stands for $\nabla L_Q(\theta')$. Return the meta-gradient $(I - \alpha H)\, v$, with $H = \nabla^2 L_S(\theta)$ and `inner_lr` for $\alpha$, without ever making the matrix $H$.
# %% [markdown] lang="pl"
# **2. Hesjan, którego nikt nie wypisuje.** `loss` to strata na zbiorze wsparcia, funkcja jednego wektora `theta`; `v`, stały wektor tej samej długości, to $\nabla L_Q(\theta')$. Zwróć metagradient $(I - \alpha H)\, v$, gdzie $H = \nabla^2 L_S(\theta)$, a `inner_lr` to $\alpha$, nie tworząc w ogóle macierzy $H$.

# %% tags=["exercise"]
def meta_gradient_of_step(loss, theta, v, inner_lr):
    return ...


# %% [markdown] lang="en" tags=["hint"]
# $H v = \nabla (g \cdot v)$: write a function of a point that returns the number `torch.func.grad(loss)(point) @ v`, and take its gradient at `theta`.
# %% [markdown] lang="pl" tags=["hint"]
# $H v = \nabla (g \cdot v)$: napisz funkcję punktu, która zwraca liczbę `torch.func.grad(loss)(point) @ v`, i weź jej gradient w `theta`.

# %% tags=["check"]
check("meta_gradient", meta_gradient_of_step)


# %% tags=["solution"]
def meta_gradient_of_step(loss, theta, v, inner_lr):
    hessian_vector = torch.func.grad(lambda point: torch.func.grad(loss)(point) @ v)(theta)
    return v - inner_lr * hessian_vector


# %% [markdown] lang="en"
# ## Quiz
# %% [markdown] lang="pl"
# ## Quiz

# %% tags=["quiz"]
quiz(
    Quiz(
        t("The loss of a task is quadratic, and along one eigenvector of its Hessian the curvature is $a = 1/\\alpha$. What does the meta-gradient say about the start in that direction?",
          "Strata zadania jest kwadratowa, a wzdłuż pewnego wektora własnego jej hesjanu krzywizna wynosi $a = 1/\\alpha$. Co mówi metagradient o starcie w tym kierunku?"),
        [
            (t("Move it to the task's minimum: the loss is steep there.", "Przesuń go do minimum zadania: strata jest tam stroma."), False,
             t("That is what joint training says.", "Tak mówi trening łączny.")),
            (t("Nothing: one step reaches the minimum from anywhere.", "Nic: jeden krok dochodzi do minimum skądkolwiek."), True,
             t("Yes: $1 - \\alpha a = 0$, and no gradient comes back through the step.", "Tak: $1 - \\alpha a = 0$ i przez krok nie wraca żaden gradient.")),
            (t("It is infinite there.", "Jest tam nieskończony."), False,
             t("That would take a division; the factor is $1 - \\alpha a$.", "Do tego trzeba by dzielić; czynnikiem jest $1 - \\alpha a$.")),
        ],
    ),
    Quiz(
        t("What does first order leave out?", "Co pomija przybliżenie pierwszego rzędu?"),
        [
            (t("The inner loop.", "Pętlę wewnętrzną."), False,
             t("Without it, joint training would be left.", "Bez niej zostałby trening łączny.")),
            (t("The query set.", "Zbiór zapytań."), False,
             t("It is Reptile that needs none; first order uses the query gradient at the adapted weights.", "Bez niego obywa się Reptile; pierwszy rząd bierze gradient zapytań w wagach dostosowanych.")),
            (t("That the adapted weights depend on the start by way of the inner gradient, too.", "To, że dostosowane wagi zależą od startu także przez gradient wewnętrzny."), True,
             t("Yes: $\\partial \\theta' / \\partial \\theta$ is taken to be $I$.", "Tak: za $\\partial \\theta' / \\partial \\theta$ bierze się $I$.")),
        ],
    ),
    Quiz(
        t("Before adapting, a MAML network has a larger error on new tasks than a jointly trained one. Is something wrong?",
          "Przed dostosowaniem sieć MAML ma na nowych zadaniach większy błąd niż trenowana łącznie. Czy coś jest nie tak?"),
        [
            (t("Yes, it needs more training.", "Tak, trzeba ją dłużej trenować."), False,
             t("The error before the step is not what it is trained on.", "Nie jest trenowana na błędzie przed krokiem.")),
            (t("No: only the error after the steps is in its objective.", "Nie: jej funkcja celu zawiera tylko błąd po krokach."), True,
             t("Yes; in the example by hand its start was the worst of three, and the best after a step.", "Tak; w przykładzie ręcznym jej start był najgorszy z trzech, a po kroku najlepszy.")),
            (t("Yes: its inner rate is too large.", "Tak: jej współczynnik wewnętrzny jest za duży."), False,
             t("Nothing here tells; look at the error after the steps.", "Nic tu o tym nie mówi; spójrz na błąd po krokach.")),
        ],
    ),
    Quiz(
        t("You have a network pretrained on many similar images, and must tell five new classes apart from one example each. What do you try first?",
          "Masz sieć wstępnie wytrenowaną na wielu podobnych obrazach i musisz rozróżnić pięć nowych klas, mając po jednym przykładzie. Od czego zaczniesz?"),
        [
            (t("MAML, because the task is few-shot.", "Od MAML, bo to zadanie na kilku przykładach."), False,
             t("That means a second training with second derivatives; measure first whether it gains anything.", "To drugi trening, z drugimi pochodnymi; najpierw zmierz, czy coś dzięki niemu zyskasz.")),
            (t("Fine-tune all weights for as long as the support loss falls.", "Od dostrajania wszystkich wag tak długo, jak maleje strata na zbiorze wsparcia."), False,
             t("It may work as well, as in the table, but it costs training and a rate to choose, and a falling support loss on five images says nothing about new ones. Measure prototypes first.", "Może się udać, jak w tabeli, ale kosztuje trening i dobór współczynnika, a malejąca strata na pięciu obrazach nic nie mówi o nowych. Najpierw zmierz prototypy.")),
            (t("Prototypes on its features.", "Od prototypów na jej cechach."), True,
             t("Yes: nothing to train, and close to the best. MAML earns its price where more than the head must change.", "Tak: niczego nie trzeba trenować, a wynik jest bliski najlepszego. MAML jest wart swojej ceny tam, gdzie musi się zmienić więcej niż głowica.")),
        ],
    ),
)

# %% [markdown] lang="en"
# ## What we saw
#
# - The meta-gradient is $(I - \alpha H) \nabla L_Q(\theta')$; first order leaves out $H$ and keeps half of what MAML adds to joint training, to first order in $\alpha$.
# - By hand, joint training and MAML went opposite ways from one point, and first order stayed. Joint training is good on average, MAML after a step: on sine curves one step took its error to a fraction, with a curvature above $1/\alpha$ in the steepest direction.
# - On unseen scripts a plain classifier, fine-tuned or by prototypes, was no worse than MAML, and in the recorded runs better: the features do the work. MAML pays where tasks contradict each other, as with curves or damaged robots.
# - learn2learn computes the same meta-gradient. Batching by `vmap` pays where operations are small.
# - At twice the rate some tasks suffer, and with inputs never seen MAML's start does harm; but it can learn curves never seen before.
#
# The numbers of this run and of the recorded ones have to bear this out:
# %% [markdown] lang="pl"
# ## Podsumowanie
#
# - Metagradient to $(I - \alpha H) \nabla L_Q(\theta')$; pierwszy rząd pomija $H$ i, z dokładnością do pierwszego rzędu względem $\alpha$, zachowuje połowę tego, co MAML dodaje do treningu łącznego.
# - W przykładzie ręcznym trening łączny i MAML poszły z jednego punktu w przeciwne strony, a pierwszy rząd stał w miejscu. Trening łączny jest dobry średnio, MAML po kroku: na sinusoidach jeden krok zmniejszył jego błąd do ułamka, przy krzywiźnie powyżej $1/\alpha$ w najbardziej stromym kierunku.
# - Na nieznanych pismach zwykły klasyfikator, dostrojony albo z prototypami, nie był gorszy od MAML, a w zapisanych przebiegach był lepszy: robotę wykonują cechy. MAML opłaca się tam, gdzie zadania sobie przeczą, jak krzywe albo uszkodzone roboty.
# - learn2learn oblicza ten sam metagradient. Liczenie wielu zadań naraz przez `vmap` opłaca się tam, gdzie operacje są małe.
# - Przy podwójnym współczynniku część zadań traci, a na wejściach nigdy niewidzianych start MAML szkodzi; krzywych nigdy niewidzianych potrafi się nauczyć.
#
# Liczby z tego uruchomienia i z zapisanych przebiegów muszą to potwierdzać:

# %% tags=["claim"]
together, untrained = list(starts)[1:]
twice, outside, upside_down = list(settings)[1:]
speed = recorded("meta_learning_speed").results["meta-gradient"]["perceptron"]["second order, 1 step"]
curves_read, read, moved = ({m: np.array(runs) for m, runs in part.items()} for part in (record.results["sinusoids"]["error"], record.results["glyphs"]["accuracy"], record.results["robot"]["error"]))
claim(t("By hand: distance of MAML's gradient at (2, 2) from (3/8, −3/8)", "Ręcznie: odległość gradientu MAML w (2, 2) od (3/8, −3/8)"), (both_tasks(here)[0] - torch.tensor([0.375, -0.375])).norm(), at_most=1e-6)
claim(t("Sine curves: error of MAML after one step", "Sinusoidy: błąd MAML po jednym kroku"), measured["MAML"][1], at_most=0.9)
claim(t("The same for joint training", "To samo dla treningu łącznego"), measured[together][1], at_least=2.0)
claim(t("Error that fine-tuning saves over training from scratch, ten steps", "O ile dostrajanie zmniejsza błąd wobec treningu od zera, dziesięć kroków"), measured[untrained][10] - measured[together][10], at_least=1.0)
claim(t("αλ at MAML's start, median of fifty tasks", "αλ w punkcie startowym MAML, mediana z pięćdziesięciu zadań"), sharpness["MAML"].median(), at_least=1.0)
claim(t("The same at the joint start", "To samo w punkcie startowym treningu łącznego"), sharpness[together].median(), at_most=0.95)
claim(t("Tasks that MAML's first step makes worse at twice the rate", "Zadania, które pierwszy krok MAML pogarsza przy podwójnym współczynniku"), harmed[twice]["MAML"], at_least=0.1)
claim(t("The same for the joint start", "To samo dla startu łącznego"), harmed[twice][together], at_most=0.25)
claim(t("The same for MAML at x from 5 to 10", "To samo dla MAML przy x od 5 do 10"), harmed[outside]["MAML"], at_least=0.5)
claim(t("Twice the rate, five steps: how far MAML's median error lies below that of the joint start", "Podwójny współczynnik, pięć kroków: o ile mediana błędu MAML jest mniejsza niż startu łącznego"), failing[twice][together][:, 5].median() - failing[twice]["MAML"][:, 5].median(), at_least=0.2)
claim(t("Curves upside down, five steps: how far MAML's median error lies below that of training from scratch", "Krzywe do góry nogami: o ile mediana błędu MAML jest mniejsza niż treningu od zera, pięć kroków"), failing[upside_down][untrained][:, 5].median() - failing[upside_down]["MAML"][:, 5].median(), at_least=0.5)
claim(t("Scripts: accuracy of MAML after three steps", "Pisma: dokładność MAML po trzech krokach"), live["second order"][3], at_least=0.8)
claim(t("Lead of the fine-tuned classifier after three steps", "Przewaga dostrojonego klasyfikatora po trzech krokach"), live["pretrained"][3] - live["second order"][3], at_least=-0.04)
claim(t("Robot: error that MAML after one step saves over the best of the fine-tuned plain model", "Robot: o ile błąd MAML po jednym kroku jest mniejszy niż najlepszy wynik dostrojonego zwykłego modelu"), min(list(felt.values())[1]) - felt["MAML"][1], at_least=0.03)
claim(t("Sine curves, recorded: mean error that first order adds to MAML's, ten steps", "Sinusoidy, zapisane: ile średnio pierwszy rząd dodaje do błędu MAML, dziesięć kroków"), (curves_read["first order"] - curves_read["second order"])[:, 10].mean(), at_most=0.3)
claim(t("Scripts, recorded: mean lead of the fine-tuned classifier over MAML, five steps", "Pisma, zapisane: średnia przewaga dostrojonego klasyfikatora nad MAML, pięć kroków"), (read["pretrained"] - read["second order"])[:, 5].mean(), at_least=0)
claim(t("The same for prototypes", "To samo dla prototypów"), (read["prototypes"][:, 0] - read["second order"][:, 5]).mean(), at_least=0)
claim(t("The same: what ANIL loses to MAML, five steps", "To samo: ile ANIL traci do MAML, pięć kroków"), (read["second order"] - read["ANIL"])[:, 5].mean(), at_most=0.02)
claim(t("Robot: the same, recorded mean", "Robot: to samo, zapisana średnia"), (moved["pretrained"].min(1) - moved["second order"][:, 1]).mean(), at_least=0.03)
claim(t("learn2learn, recorded: largest difference of the meta-gradients, 32 bits", "learn2learn, zapisane: największa różnica metagradientów, 32 bity"), speed["largest difference, float32"]["vmap"], at_most=1e-6)
claim(t("How many times faster vmap is on the perceptron", "Ile razy szybciej działa vmap na perceptronie"), speed["seconds"]["learn2learn"] / speed["seconds"]["vmap"], at_least=2, unit="×")

# %% [markdown] lang="en"
# ## Where to go next
#
# - Finn, Abbeel and Levine 2017, *Model-Agnostic Meta-Learning for Fast Adaptation of Deep Networks*, [arXiv 1703.03400](https://arxiv.org/abs/1703.03400)
# - Nichol, Achiam and Schulman 2018, *On First-Order Meta-Learning Algorithms*, [arXiv 1803.02999](https://arxiv.org/abs/1803.02999)
# - Antoniou, Edwards and Storkey 2019, *How to train your MAML*, [arXiv 1810.09502](https://arxiv.org/abs/1810.09502)
# - Raghu et al. 2020, *Rapid Learning or Feature Reuse? Towards Understanding the Effectiveness of MAML*, [arXiv 1909.09157](https://arxiv.org/abs/1909.09157)
# - Chen et al. 2019, *A Closer Look at Few-shot Classification*, [arXiv 1904.04232](https://arxiv.org/abs/1904.04232)
# - Tian et al. 2020, *Rethinking Few-Shot Image Classification: a Good Embedding Is All You Need?*, [arXiv 2003.11539](https://arxiv.org/abs/2003.11539)
# - Nagabandi et al. 2019, *Learning to Adapt in Dynamic, Real-World Environments Through Meta-Reinforcement Learning*, [arXiv 1803.11347](https://arxiv.org/abs/1803.11347)
#
# [Lesson 08](08_prototypical_networks.ipynb) learns from as few examples without any gradient step. [Lesson 10](10_policy_distillation.ipynb) passes on behaviour from teachers to a student.
# %% [markdown] lang="pl"
# ## Co dalej
#
# - Finn, Abbeel i Levine 2017, *Model-Agnostic Meta-Learning for Fast Adaptation of Deep Networks*, [arXiv 1703.03400](https://arxiv.org/abs/1703.03400)
# - Nichol, Achiam i Schulman 2018, *On First-Order Meta-Learning Algorithms*, [arXiv 1803.02999](https://arxiv.org/abs/1803.02999)
# - Antoniou, Edwards i Storkey 2019, *How to train your MAML*, [arXiv 1810.09502](https://arxiv.org/abs/1810.09502)
# - Raghu i in. 2020, *Rapid Learning or Feature Reuse? Towards Understanding the Effectiveness of MAML*, [arXiv 1909.09157](https://arxiv.org/abs/1909.09157)
# - Chen i in. 2019, *A Closer Look at Few-shot Classification*, [arXiv 1904.04232](https://arxiv.org/abs/1904.04232)
# - Tian i in. 2020, *Rethinking Few-Shot Image Classification: a Good Embedding Is All You Need?*, [arXiv 2003.11539](https://arxiv.org/abs/2003.11539)
# - Nagabandi i in. 2019, *Learning to Adapt in Dynamic, Real-World Environments Through Meta-Reinforcement Learning*, [arXiv 1803.11347](https://arxiv.org/abs/1803.11347)
#
# [Lekcja 08](08_prototypical_networks.ipynb) uczy się na równie niewielu przykładach bez żadnego kroku gradientu. [Lekcja 10](10_policy_distillation.ipynb) przekazuje zachowanie od nauczycieli uczniowi.
