# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   tlcourse:
#     title: {en: Policy distillation, pl: Destylacja polityki}
#     minutes: 50
#     seconds: 40
#     prerequisites: ["07_sim_to_real"]
# ---

# %% [markdown] lang="en"
# # Policy distillation
#
# A robot that can do many things often has many networks, each trained for days on one of them. On board there is room and time for one, and a small one. Here you pass the skill of three players on to a single network of a fraction of the size.
#
# **After this lesson you will be able to**
#
# - say what a Q-value is and how a network learns it,
# - write the three losses of policy distillation, and derive the gradient of the one with a temperature,
# - predict what a temperature does to a teacher's answer, and compute which one gives a wanted probability,
# - distil three teachers into one small network, and compare losses, sizes and lengths of training fairly,
# - say why copying values fails, and when one network for all tasks needs a head for each.
#
# **You need**: [lesson 07](07_sim_to_real.ipynb), the softmax function, logarithms. **Time**: under an hour; the code runs in
# less than a minute. New words are explained in the glossary of [lesson 00](00_start.ipynb).
# %% [markdown] lang="pl"
# # Destylacja polityki
#
# Robot, który umie wiele rzeczy, ma często wiele sieci, a każdą z nich całymi dniami trenowano do jednej umiejętności. Na pokładzie jest miejsce i czas na jedną, i to małą. Tutaj przekażesz umiejętności trzech graczy jednej sieci, wielokrotnie mniejszej od sieci każdego z nich.
#
# **Po tej lekcji będziesz umieć**
#
# - powiedzieć, czym jest wartość Q i jak sieć się jej uczy,
# - zapisać trzy funkcje straty destylacji polityki i wyprowadzić gradient tej z temperaturą,
# - przewidzieć, co temperatura robi z odpowiedzią nauczyciela, i obliczyć, która z nich daje żądane prawdopodobieństwo,
# - przekazać wiedzę trzech nauczycieli jednej małej sieci i uczciwie porównać funkcje straty, wielkości sieci i długości treningu,
# - powiedzieć, dlaczego kopiowanie wartości zawodzi i kiedy jedna sieć do wszystkich zadań potrzebuje osobnej głowicy do każdego.
#
# **Co trzeba umieć**: [lekcja 07](07_sim_to_real.ipynb), funkcja softmax, logarytmy. **Czas**: niecała godzina; kod wykonuje się
# w niecałą minutę. Nowe słowa wyjaśnia słowniczek w [lekcji 00](00_start.ipynb).

# %% tags=["setup"]
from tlcourse.classroom import start_lesson, t

start_lesson("10_policy_distillation", lang="en")

# %% tags=["imports"]
import math
import timeit
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import torch

from tlcourse.classroom import (
    Prediction, Quiz, band, check, claim, explore, mean_pm, palette, quiz, recorded, show, show_source, table,
)
from tlcourse.classroom.run import ROOT
from tlcourse.policy_distillation import Demonstrations, demonstrate, imitate, kl_loss, mse_loss, nll_loss, softened
from tlcourse.rl.q_networks import QNetwork, load_q_network, mlp_trunk
from tlcourse.rl.support import evaluate_policy
from tlcourse.robots.games import ACTIONS, GAMES, picture
from tlcourse.runtime import seed_everything

SEED = 0

# %% [markdown] lang="en"
# ## The idea
#
# An old chess master does not hand his pupil the records of his thousands of games. He sits down beside him and says, position by position: this move; that one is nearly as good; never the third. What took him a lifetime of trial and error is passed on in a few months, because the pupil gets an answer in *every* position, not a win or a loss after three hours. And the pupil need not have the master's memory: he learns the judgement, not the way to it.
#
# **Policy distillation** (Rusu et al. 2015, [arXiv 1511.06295](https://arxiv.org/abs/1511.06295)) does this with networks. **Teachers** have learned their tasks by trial and error, one each. A **student**, a new network, is then trained on what they say: plain supervised learning. It can be much smaller, and it can have several teachers. Passing on what a network says instead of its weights is called **knowledge distillation** (Hinton et al. 2015, [arXiv 1503.02531](https://arxiv.org/abs/1503.02531)); here it is a *policy*, a way to act.
#
# **What teachers know.** From lesson 07 we keep the words: in each step an *agent* gets an *observation*, answers with an *action* and receives a *reward*; the sum of the rewards of an *episode* is the *return*; the rule by which it acts is its *policy*; and learning it from rewards is *reinforcement learning*. There, the network gave the action itself. Our teachers have learned something else, **Q-values**: $Q(s, a)$ is the sum of the rewards that may be expected after the action $a$ in the state $s$ if from then on the best action is always taken, where a reward $k$ steps later counts $\gamma^k$; here $\gamma = 0.9$. Whoever knows Q-values knows what to do: the action with the largest, $\arg\max_a Q(s, a)$, the *greedy* one. Nobody has to supply them: the value of an action is the reward of the step plus, discounted, the value of the best action after it. With the reward $r$ of the step and the next state $s'$,
#
# $$Q(s, a) = \mathbb{E}\big[\, r + \gamma \max_{a'} Q(s', a') \,\big] .$$
#
# **DQN**, the deep Q-network (Mnih et al. 2013, [arXiv 1312.5602](https://arxiv.org/abs/1312.5602)), is a network that is trained to make both sides as equal as it can. It plays, mostly greedily and now and then at random so that it finds better actions (*epsilon-greedy* **exploration**), keeps what happened in a **replay buffer**, and on batches drawn from it lowers the squared difference of the two sides; only the left one is moved, the right one is held fixed meanwhile. That takes hundreds of thousands of steps. The teachers of this lesson are such networks; they come with the course.
# %% [markdown] lang="pl"
# ## Pomysł
#
# Stary mistrz szachowy nie wręcza uczniowi zapisu wszystkich swoich tysięcy partii. Siada obok i pozycja po pozycji mówi: ten ruch; tamten prawie tak samo dobry; tego trzeciego nigdy. To, co jemu zajęło całe życie prób i błędów, uczeń przejmuje w parę miesięcy, bo dostaje odpowiedź w *każdej* pozycji, a nie wygraną albo przegraną po trzech godzinach. Nie musi też mieć pamięci mistrza: uczy się jego ocen, a nie drogi do nich.
#
# **Destylacja polityki** (ang. *policy distillation*; Rusu i in. 2015, [arXiv 1511.06295](https://arxiv.org/abs/1511.06295)) robi to samo z sieciami. **Nauczyciele** (ang. *teachers*) opanowali swoje zadania metodą prób i błędów, każdy jedno. **Ucznia** (ang. *student*), nową sieć, trenujemy potem na tym, co mówią: to zwykłe uczenie nadzorowane. Może być o wiele mniejszy i może mieć kilku nauczycieli. Przekazywanie tego, co sieć mówi, a nie jej wag, nazywa się **destylacją wiedzy** (ang. *knowledge distillation*; Hinton i in. 2015, [arXiv 1503.02531](https://arxiv.org/abs/1503.02531)); tutaj przekazujemy *politykę* (ang. *policy*), czyli sposób działania.
#
# **Co wiedzą nauczyciele.** Z lekcji 07 zostają nam słowa: w każdym kroku *agent* dostaje *obserwację*, odpowiada *akcją* i otrzymuje *nagrodę* (ang. *reward*); suma nagród z *epizodu* to *zwrot* (ang. *return*); reguła, według której działa, to jego *polityka*; a uczenie się jej z nagród to *uczenie ze wzmocnieniem* (ang. *reinforcement learning*). Tam sieć podawała od razu akcję. Nasi nauczyciele nauczyli się czegoś innego, **wartości Q** (ang. *Q-values*): $Q(s, a)$ to suma nagród, jakiej można oczekiwać po akcji $a$ w stanie $s$, jeśli potem zawsze wybiera się najlepszą akcję; nagrodę późniejszą o $k$ kroków mnoży się przez $\gamma^k$, tutaj $\gamma = 0{,}9$. Kto zna wartości Q, ten wie, co robić: wybrać akcję o największej z nich, $\arg\max_a Q(s, a)$, czyli akcję *zachłanną* (ang. *greedy*). Nikt nie musi ich podawać: wartość akcji to nagroda w danym kroku plus zdyskontowana wartość najlepszej akcji w następnym stanie. Gdy $r$ to nagroda w danym kroku, a $s'$ następny stan,
#
# $$Q(s, a) = \mathbb{E}\big[\, r + \gamma \max_{a'} Q(s', a') \,\big] .$$
#
# **DQN** (ang. *deep Q-network*; Mnih i in. 2013, [arXiv 1312.5602](https://arxiv.org/abs/1312.5602)) to sieć, którą trenuje się tak, żeby obie strony były jak najbardziej równe. Gra przeważnie zachłannie, a od czasu do czasu losowo, żeby odkrywać lepsze akcje (**eksploracja**, ang. *exploration*, metodą *epsilon-greedy*), to, co się zdarzyło, zachowuje w **buforze powtórek** (ang. *replay buffer*), a na paczkach (ang. *batch*) z niego losowanych zmniejsza kwadrat różnicy obu stron; przesuwa się tylko lewą, prawa jest w tym czasie ustalona. Wymaga to setek tysięcy kroków. Nauczyciele w tej lekcji to właśnie takie sieci; dostajesz je razem z kursem.

# %%
NAMES = "catch", "breakout", "invaders"
teachers = {name: load_q_network(ROOT / "data" / "teachers" / f"{name}.safetensors") for name in NAMES}
trial = {name: GAMES[name](64) for name in NAMES}
space = trial["catch"].single_observation_space
shown = {name: demonstrate(teacher, GAMES[name](128), seed=SEED) for name, teacher in teachers.items()}
fig, axes = plt.subplots(1, 3, figsize=(8, 2.9))
for ax, (name, demonstrations) in zip(axes, shown.items()):
    ax.imshow(picture(demonstrations.observations[40 * 128]))
    ax.set(title=name, xticks=[], yticks=[])
show(fig, alt=t("Three grids of ten by ten cells, with the player in the bottom row: things falling, a wall of bricks with a ball, and four invaders.",
                "Trzy plansze po dziesięć na dziesięć pól, z graczem w dolnym rzędzie: spadające przedmioty, mur z cegieł i piłka oraz czterech najeźdźców."))

# %% [markdown] lang="en"
# Three small games in the manner of MinAtar (Young & Tian 2019, [arXiv 1903.03176](https://arxiv.org/abs/1903.03176)); the player, blue, can stay, go left, go right and fire. In *catch*, green things are to be caught and red ones avoided; in *breakout*, a green ball is to be kept in play, and each red brick that it breaks counts; in *invaders*, green invaders are to be shot and their red bombs avoided. Grey are traces of motion and, in *invaders*, the shots. A point is 1 or −1; an episode has 100 steps. The observation is a grid with four channels.
#
# How good are the teachers? A return means little on its own: in *breakout* a random player ends far below zero. So from now on we count a **score**. With the return $R$, that of random actions, $R_0$, and that of the teacher, $R_T$, it is 0 for random play and 1 for play as good as the teacher's:
#
# $$\frac{R - R_0}{R_T - R_0} .$$
# %% [markdown] lang="pl"
# Trzy małe gry na wzór MinAtar (Young i Tian 2019, [arXiv 1903.03176](https://arxiv.org/abs/1903.03176)); niebieski gracz może stać, iść w lewo, iść w prawo i strzelać. W *catch* trzeba łapać przedmioty zielone, a unikać czerwonych; w *breakout* nie wolno wypuścić zielonej piłki, a liczy się każda rozbita czerwona cegła; w *invaders* trzeba strącać zielonych najeźdźców i unikać ich czerwonych bomb. Szare są ślady ruchu, a w *invaders* także strzały. Punkt to 1 albo −1; epizod ma 100 kroków. Obserwacją jest plansza o czterech kanałach.
#
# Jak dobrzy są nauczyciele? Sam zwrot niewiele mówi: w grze *breakout* losowy gracz kończy daleko poniżej zera. Dlatego odtąd liczymy **wynik**. Gdy $R$ to zwrot, $R_0$ zwrot akcji losowych, a $R_T$ zwrot nauczyciela, wynosi on 0 dla gry losowej i 1 dla gry tak dobrej jak nauczyciela:
#
# $$\frac{R - R_0}{R_T - R_0} .$$

# %%
def mean_return(act, name):
    return evaluate_policy(act, trial[name], 64, seed=SEED + 1000).mean()


rng = np.random.default_rng(SEED)
best = {name: mean_return(teacher.act, name) for name, teacher in teachers.items()}
chance = {name: mean_return(lambda seen: rng.integers(0, len(ACTIONS), len(seen)), name) for name in NAMES}
table([(name, chance[name], best[name], f"{teacher.notes['seconds']:.0f} s") for name, teacher in teachers.items()],
      [t("return", "zwrot"), t("random", "losowo"), t("teacher", "nauczyciel"), t("its training", "jego trening")])

# %% [markdown] lang="en"
# ## The mathematics
#
# **What the student learns from.** Each teacher plays its game, each action being random with probability 0.1, so that states occur that it would avoid itself. In every state $s$ we keep its Q-values, a vector $q^T$ with an entry for each of the $A = 4$ actions. (The paper, too, lets the teacher play and stores its values, again and again while the student learns; we do it once.) The student answers with $A$ numbers $q^S$ of its own. Three losses were compared; $D$ are the stored states.
#
# **1. Copy the values:** $\displaystyle L_{\text{MSE}} = \mathbb{E}_{s \in D}\, \lVert q^T - q^S \rVert^2$.
#
# **2. Copy the choice:** the teacher's best action is the right class, $\displaystyle L_{\text{NLL}} = \mathbb{E}_{s \in D} \big[ -\ln \mathrm{softmax}(q^S)_{a^*} \big]$ with $a^* = \arg\max_a q^T_a$. (NLL: the *negative log-likelihood*.)
#
# **3. Copy the preferences:** turn the values into probabilities $p = \mathrm{softmax}(q^T / \tau)$ with a **temperature** $\tau$, and lower the **Kullback–Leibler divergence**, which measures how far a distribution is from $p$:
#
# $$L_{\text{KL}} = \mathbb{E}_{s \in D} \sum_a p_a \ln \frac{p_a}{\pi_a}, \qquad \pi = \mathrm{softmax}(q^S) .$$
#
# It is 0 for $\pi = p$ and otherwise above. Only the teacher's values are divided by $\tau$.
#
# **Its gradient.** $\ln \pi_a = q^S_a - \ln \sum_b e^{q^S_b}$, so $\partial \ln \pi_a / \partial q^S_c = \delta_{ac} - \pi_c$ ($\delta_{ac}$ is 1 if $a = c$, else 0). The teacher's part does not depend on the student, and $\sum_a p_a = 1$. Hence for one state
#
# $$\frac{\partial L_{\text{KL}}}{\partial q^S_c} = -\sum_a p_a (\delta_{ac} - \pi_c) = \pi_c - p_c .$$
#
# Each output is pushed up by the teacher's probability and down by its own. With NLL it is the same, with $p$ 1 at $a^*$ and 0 elsewhere: that is the limit $\tau \to 0$ where one action is the best.
#
# **What the temperature does.** Between two actions whose values differ by the gap $g$, the better one gets
#
# $$p = \frac{1}{1 + e^{-g/\tau}}, \qquad \frac{p}{1 - p} = e^{g/\tau} .$$
#
# So the gap is measured in units of $\tau$. When *classifiers* are distilled, logits are far apart, and temperatures above 1 *soften* them, so that the small probabilities become visible. Q-values are the other way round: one bad step seldom costs much, as the next ones can make up for it, so the values of a state's actions lie close together. Rusu et al. therefore *sharpen* them, with $\tau = 0.01$.
#
# **What the squared error spends itself on.** Split the difference $d = q^S - q^T$ in a state into its mean $\bar d$ over the actions, the *level*, and the rest. The mixed term vanishes because the rest sums to 0:
#
# $$\sum_a d_a^2 = A\, \bar d^{\,2} + \sum_a (d_a - \bar d)^2 .$$
#
# No decision depends on the level: adding the same number to all values of a state changes no $\arg\max$, and no softmax either. Losses 2 and 3 do not see it; loss 1 does.
#
# **What a high temperature does.** If $\tau$ is large compared with the gaps, $p$ is nearly uniform, and so is $\pi$ once the student comes near it. Expand: with $z = q^T/\tau - q^S$ and its mean $\bar z$, to second order,
#
# $$L_{\text{KL}} \approx \frac{1}{2A} \sum_a (z_a - \bar z)^2 .$$
#
# (Near the uniform distribution, $\partial \pi_a / \partial q^S_c \approx \frac1A (\delta_{ac} - \frac1A)$: the gradient $\pi - p$ is $\frac1A$ times the negative of $z - \bar z$.) That is a squared error again, but **without the level**. So one temperature leads from the mere choice, $\tau \to 0$ (loss 2), to the squared error without the level, $\tau$ large. Loss 1 is that last one with the level added.
# %% [markdown] lang="pl"
# ## Matematyka
#
# **Na czym uczy się uczeń.** Każdy nauczyciel gra w swoją grę, a w każdym kroku z prawdopodobieństwem 0,1 wykonuje akcję losową, żeby pojawiały się stany, których sam by unikał. W każdym stanie $s$ zachowujemy jego wartości Q, wektor $q^T$ o jednej składowej na każdą z $A = 4$ akcji. (W artykule nauczyciel też gra, a jego wartości są zapisywane, ale wciąż na nowo, gdy uczeń się uczy; my robimy to raz.) Uczeń odpowiada własnymi $A$ liczbami $q^S$. Porównano trzy funkcje straty (ang. *loss functions*); $D$ to zapisane stany.
#
# **1. Kopiuj wartości:** $\displaystyle L_{\text{MSE}} = \mathbb{E}_{s \in D}\, \lVert q^T - q^S \rVert^2$.
#
# **2. Kopiuj wybór:** najlepsza akcja nauczyciela to właściwa klasa, $\displaystyle L_{\text{NLL}} = \mathbb{E}_{s \in D} \big[ -\ln \mathrm{softmax}(q^S)_{a^*} \big]$, gdzie $a^* = \arg\max_a q^T_a$. (NLL: ujemny logarytm wiarygodności, ang. *negative log-likelihood*.)
#
# **3. Kopiuj preferencje:** zamień wartości na prawdopodobieństwa $p = \mathrm{softmax}(q^T / \tau)$ z **temperaturą** (ang. *temperature*) $\tau$ i zmniejszaj **dywergencję Kullbacka–Leiblera** (ang. *Kullback–Leibler divergence*), która mierzy, jak daleko od $p$ leży dany rozkład:
#
# $$L_{\text{KL}} = \mathbb{E}_{s \in D} \sum_a p_a \ln \frac{p_a}{\pi_a}, \qquad \pi = \mathrm{softmax}(q^S) .$$
#
# Wynosi 0 dla $\pi = p$, a poza tym jest dodatnia. Przez $\tau$ dzieli się tylko wartości nauczyciela.
#
# **Jej gradient.** $\ln \pi_a = q^S_a - \ln \sum_b e^{q^S_b}$, więc $\partial \ln \pi_a / \partial q^S_c = \delta_{ac} - \pi_c$ ($\delta_{ac}$ to 1, gdy $a = c$, w przeciwnym razie 0). Część nauczyciela nie zależy od ucznia, a $\sum_a p_a = 1$. Dlatego dla jednego stanu
#
# $$\frac{\partial L_{\text{KL}}}{\partial q^S_c} = -\sum_a p_a (\delta_{ac} - \pi_c) = \pi_c - p_c .$$
#
# Każde wyjście jest pchane w górę przez prawdopodobieństwo nauczyciela, a w dół przez własne. W NLL jest tak samo, tylko $p$ to 1 w $a^*$ i 0 gdzie indziej: to granica $\tau \to 0$, o ile jedna akcja jest najlepsza.
#
# **Co robi temperatura.** Z dwóch akcji, których wartości różnią się o $g$, lepsza dostaje
#
# $$p = \frac{1}{1 + e^{-g/\tau}}, \qquad \frac{p}{1 - p} = e^{g/\tau} .$$
#
# Różnicę mierzy się więc w jednostkach $\tau$. Gdy destyluje się *klasyfikatory*, logity są od siebie odległe i temperatury powyżej 1 je *zmiękczają*, żeby było widać małe prawdopodobieństwa. Z wartościami Q jest na odwrót: jeden zły krok rzadko dużo kosztuje, bo następne mogą go naprawić, więc wartości akcji w jednym stanie są sobie bliskie. Dlatego Rusu i in. je *wyostrzają*, z $\tau = 0{,}01$.
#
# **Na co traci siły błąd kwadratowy.** Podziel różnicę $d = q^S - q^T$ w danym stanie na jej średnią po akcjach $\bar d$, czyli *poziom*, i resztę. Składnik mieszany znika, bo reszta sumuje się do 0:
#
# $$\sum_a d_a^2 = A\, \bar d^{\,2} + \sum_a (d_a - \bar d)^2 .$$
#
# Od poziomu nie zależy żadna decyzja: ta sama liczba dodana do wszystkich wartości stanu nie zmienia żadnego $\arg\max$ ani softmaksu. Straty 2 i 3 go nie widzą; strata 1 widzi.
#
# **Co robi wysoka temperatura.** Jeśli $\tau$ jest duże w porównaniu z różnicami, $p$ jest prawie jednostajne, a $\pi$ także, gdy tylko uczeń się do niego zbliży. Rozwiń: gdy $z = q^T/\tau - q^S$, a $\bar z$ to jego średnia, z dokładnością do drugiego rzędu
#
# $$L_{\text{KL}} \approx \frac{1}{2A} \sum_a (z_a - \bar z)^2 .$$
#
# (W pobliżu rozkładu jednostajnego $\partial \pi_a / \partial q^S_c \approx \frac1A (\delta_{ac} - \frac1A)$: gradient $\pi - p$ to $z - \bar z$ razy $\frac1A$, z minusem.) To znowu błąd kwadratowy, ale **bez poziomu**. Jedna temperatura prowadzi więc od samego wyboru, $\tau \to 0$ (strata 2), do błędu kwadratowego bez poziomu, przy dużym $\tau$. Strata 1 to ten ostatni z dodanym poziomem.

# %% [markdown] lang="en"
# ## The code
#
# The three losses, literally; `softened` is $p$. The rest is ordinary: `demonstrate` lets a teacher play and keeps states and values; `imitate` draws a batch of one game after another and lowers the loss with Adam. `distill` does both at once.
# %% [markdown] lang="pl"
# ## Kod
#
# Trzy funkcje straty, dosłownie; `softened` to $p$. Reszta jest zwyczajna: `demonstrate` pozwala nauczycielowi grać i zachowuje stany i wartości, a `imitate` losuje paczkę z jednej gry po drugiej i zmniejsza stratę optymalizatorem Adam. Jedno i drugie robi naraz `distill`.

# %%
show_source(mse_loss, nll_loss, kl_loss, softened)

# %% [markdown] lang="en"
# What do the teachers' values look like, and is the approximation any good? For each game: how far the levels of the states are spread; how far the actions of a state; the median gap between the two best actions; the divergence of a student that knows nothing ($q^S = 0$) from the teacher at $\tau = 1$, exact and by the formula; and how far *stay* and *fire* lie apart, in the median.
# %% [markdown] lang="pl"
# Jak wyglądają wartości nauczycieli i czy to przybliżenie jest coś warte? Dla każdej gry: jak bardzo rozrzucone są poziomy stanów; jak bardzo akcje w jednym stanie; mediana różnicy między dwiema najlepszymi akcjami; dywergencja ucznia, który nic nie wie ($q^S = 0$), od nauczyciela przy $\tau = 1$, dokładna i ze wzoru; oraz mediana różnicy między *stój* i *strzel*.

# %%
rows, spread = [], {}
for name, demonstrations in shown.items():
    q = demonstrations.q
    rest, two = q - q.mean(1, keepdim=True), q.topk(2).values
    spread[name] = q.mean(1).std().item(), rest.square().mean().sqrt().item()
    exact, formula = kl_loss(torch.zeros_like(q), q, tau=1.0), rest.square().sum(1).mean() / 8
    rows.append((name, *spread[name], (two[:, 0] - two[:, 1]).median(), f"{exact:.4f}", f"{formula:.4f}", (q[:, 0] - q[:, 3]).abs().median()))
table(rows, [t("game", "gra"), t("spread of the levels", "rozrzut poziomów"), t("within a state", "w jednym stanie"), t("median gap", "mediana różnicy"), t("divergence", "dywergencja"), t("by the formula", "ze wzoru"), t("stay or fire", "stój czy strzel")])

# %% [markdown] lang="en"
# The levels differ far more between states than the actions do within one: by much the greater part, a Q-value says *how well things stand*, and only a little *what to do*. Keep that in mind for the squared error. And the gaps are small: at $\tau = 1$ the teacher seems to have next to no opinion.
#
# **Explore.** The same teacher in one of its states, seen through the temperature. Find a state in which it hardly matters what one does, and one in which a single action saves the player. At which $\tau$ do you see the difference best? The **entropy** $-\sum_a p_a \ln p_a$ says how undecided $p$ is: 0 if one action is certain, $\ln 4 \approx 1.39$ if all four are alike.
# %% [markdown] lang="pl"
# Poziomy różnią się między stanami o wiele bardziej niż akcje w jednym stanie: wartość Q mówi głównie, *jak stoją sprawy*, a tylko trochę, *co robić*. Pamiętaj o tym przy błędzie kwadratowym. A różnice są małe: przy $\tau = 1$ wygląda, jakby nauczyciel nie miał prawie żadnego zdania.
#
# **Zbadaj.** Ten sam nauczyciel w jednym ze swoich stanów, widziany przez temperaturę. Znajdź stan, w którym prawie wszystko jedno, co się zrobi, i taki, w którym ratuje tylko jedna akcja. Przy jakim $\tau$ najlepiej widać tę różnicę? **Entropia** (ang. *entropy*) $-\sum_a p_a \ln p_a$ mówi, jak bardzo niezdecydowane jest $p$: 0, gdy jedna akcja jest pewna, $\ln 4 \approx 1{,}39$, gdy wszystkie cztery są jednakowe.

# %% tags=["widget"]
def entropy(p):
    return -torch.special.xlogy(p, p).sum(-1)


buttons = dict(zip(ACTIONS, (t("stay", "stój"), t("left", "w lewo"), t("right", "w prawo"), t("fire", "strzel"))))


def draw(tau, game, state):
    row = 128 * (20 + state) + state
    q, p = shown[game].q[row], softened(shown[game].q[[row]], tau)[0]
    fig, (left, middle, right) = plt.subplots(1, 3, figsize=(9, 2.9), width_ratios=[1, 1.3, 1.3])
    left.imshow(picture(shown[game].observations[row]))
    left.set(xticks=[], yticks=[])
    middle.bar(buttons.values(), q, color=palette("grey"))
    middle.set(title=t("the teacher's values", "wartości nauczyciela"), ylim=(min(0, 1.2 * q.min()), max(0.1, 1.2 * q.max())))
    right.bar(buttons.values(), p, color=palette("blue"))
    right.set(title=t("p, entropy {:.2f}", "p, entropia {:.2f}").format(entropy(p)), ylim=(0, 1))
    told = ", ".join(f"{name} {value:.2f}" for name, value in zip(buttons.values(), p))
    return fig, t(f"A state of {game}; at the temperature {tau} the probabilities are: ", f"Stan gry {game}; przy temperaturze {tau} prawdopodobieństwa to: ") + told


explorer = explore(draw, tau=[0.003, 0.01, 0.03, 0.1, 0.3, 1.0], game=list(NAMES), state=range(0, 21),
                   labels={"tau": t("temperature τ", "temperatura τ"), "game": t("game", "gra"), "state": t("state", "stan")})
explorer.controls["tau"].value = 0.1
explorer

# %% [markdown] lang="en"
# With a low temperature the teacher decides, and where two actions are as good as equal it says so; with a high one the order of the actions remains, but in small differences.
#
# ## The experiment: three teachers, one student
#
# The student has a **trunk**, two hidden layers that all games share, and a small **head** for each game, a linear layer. With 36 and 24 hidden units it has about a quarter of *one* teacher's weights, for three games. 2000 batches of 128 states, the games in turn; then it plays by itself.
# %% [markdown] lang="pl"
# Przy niskiej temperaturze nauczyciel decyduje, a gdzie dwie akcje są praktycznie równie dobre, tam to mówi; przy wysokiej kolejność akcji zostaje, ale w małych różnicach.
#
# ## Eksperyment: trzech nauczycieli, jeden uczeń
#
# Uczeń ma **pień** (ang. *trunk*), dwie warstwy ukryte wspólne dla wszystkich gier, i małą **głowicę** (ang. *head*) do każdej gry, warstwę liniową. Z 36 i 24 neuronami ukrytymi ma mniej więcej jedną czwartą wag *jednego* nauczyciela, a gra w trzy gry. 2000 paczek po 128 stanów, gry na zmianę; potem gra sam.

# %% tags=["predict"]
guess = Prediction(
    t("After 2000 batches, which loss has made the best player?", "Po 2000 paczek: która strata dała najlepszego gracza?"),
    [t("the squared error of the values", "błąd kwadratowy wartości"), t("the teacher's choice (NLL)", "wybór nauczyciela (NLL)"),
     t("KL with τ = 0.01, as in the paper", "KL z τ = 0,01, jak w artykule"), t("KL with τ = 1", "KL z τ = 1")],
)
guess

# %%
SIZES = {"full": (128, 64), "quarter": (36, 24), "fourteenth": (10, 16)}
LOSSES = {"mse": mse_loss, "nll": nll_loss, "kl 0.01": kl_loss, "kl 1": partial(kl_loss, tau=1.0)}
COLOURS = dict(zip(["mse", "nll", "kl 0.01", "kl 0.1", "kl 1", "advantages"], ("red", "orange", "blue", "sky", "green", "purple")))


def new_student(size="quarter", heads=3):
    seed_everything(SEED)
    return QNetwork(mlp_trunk(space, SIZES[size]), len(ACTIONS), heads)


def scores(student):
    played = [mean_return(partial(student.act, head=i % len(student.heads)), name) for i, name in enumerate(NAMES)]
    return [(r - chance[name]) / (best[name] - chance[name]) for r, name in zip(played, NAMES)]


students, live = {}, {}
for loss in LOSSES:
    students[loss] = new_student()
    imitate(students[loss], list(shown.values()), loss=LOSSES[loss], updates=2000, seed=SEED, progress=False)
    live[loss] = scores(students[loss])
table([(loss, *row, np.mean(row)) for loss, row in live.items()], [t("score", "wynik"), *NAMES, t("mean")])
guess.compare(int(np.argmax([np.mean(row) for row in live.values()])))

# %%
record = recorded("policy_distillation")
sizes, weights = record.results["sizes"], record.results["parameters"]


def after(size, loss, batches):
    run = sizes[size][loss]
    return np.array(run["scores"])[:, run["updates"].index(batches)].mean(1)


fig, axes = plt.subplots(1, 2, figsize=(10, 3.8), sharey=True, width_ratios=[1.3, 1])
for loss, colour in COLOURS.items():
    run = sizes["quarter"][loss]
    band(axes[0], run["updates"], np.array(run["scores"]).mean(2), t("advantages", "przewagi") if loss == "advantages" else loss, colour)
for i, loss in enumerate(LOSSES):
    runs, places = [after(size, loss, 3000) for size in SIZES], np.arange(3) + 0.2 * i - 0.3
    axes[1].bar(places, np.mean(runs, 1), 0.18, color=palette(COLOURS[loss]))
    axes[1].plot(places, runs, ".", color=palette("black"), markersize=4)
axes[0].set(xlabel=t("batches", "liczba paczek"), ylabel=t("score, mean of the games", "wynik, średnia z gier"), ylim=(-0.4, 1.2), title=t("a quarter of a teacher's weights", "jedna czwarta wag nauczyciela"))
axes[0].legend(fontsize=9, ncols=2, loc="lower right")
axes[1].set(xticks=range(3), xticklabels=[f"{100 * weights[size] / weights['full']:.0f} %" for size in SIZES],
            xlabel=t("size of the student", "wielkość ucznia"), title=t("after 3000 batches", "po 3000 paczek"))
show(fig, alt=t("Left, score against batches: KL with temperature 1 rises fastest, then KL with 0.01 and NLL, the squared error last. Right, the smaller the student, the lower the scores, most of all with the squared error.",
                "Po lewej wynik względem liczby paczek: najszybciej rośnie KL z temperaturą 1, potem KL z 0,01 i NLL, na końcu błąd kwadratowy. Po prawej im mniejszy uczeń, tym niższe wyniki, najbardziej przy błędzie kwadratowym."))
record.note()

# %% [markdown] lang="en"
# KL with $\tau = 1$ is far ahead, the squared error far behind, in this run as in the recorded ones (left, means and 95 % intervals over the seeds; right, a dot for each seed). On the left you see how it comes about. At the soft temperature a student of a quarter of the size plays nearly like its teachers after 2000 batches. With the paper's $\tau = 0.01$ it takes about three times as long to come close: **a sharp temperature is paid for with longer training**. The smaller the student, the lower the scores, and at every size the squared error is the last. The purple line is the squared error without the level, that of the **advantages**: by how much an action is worth more than the mean of the state's actions. It rises nearly as fast as $\tau = 1$, as the second-order formula says.
#
# **The paper** compared the losses on four Atari games, with students as large as their teachers: there, too, the squared error was the worst (in Breakout it reached a third of the teacher's score, in the others it came closer), and KL with $\tau = 0.01$ was the best. In ten games, with a student for each, those with 25 %, 7 % and 4 % of the weights reached 108 %, 102 % and 84 % of the teachers' scores (geometric mean); and one student for three games did better than its teachers, and than a DQN trained on the three at once. The setting differs: pictures of a screen, convolutional networks, up to 18 actions, and training that lasted for days; in our figure that would presumably be far to the right, where the temperature hardly matters any more.
#
# **Why is the squared error so slow?** Test the suspicion. Of the squared error that the student of loss 1 still makes after 2000 batches, and of the one that it made at the beginning, which share is the level, $A \bar d^{\,2}$? And of all four students: how often do they choose the teacher's action, how much value does their choice lose per step, and how often more than 0.1?
# %% [markdown] lang="pl"
# KL z $\tau = 1$ zdecydowanie prowadzi, a błąd kwadratowy zostaje daleko w tyle, w tym uruchomieniu tak samo jak w zapisanych (po lewej średnie z ziaren losowości i ich 95-procentowe przedziały ufności, po prawej kropka to jedno ziarno). Po lewej widać, jak do tego dochodzi. Przy miękkiej temperaturze uczeń cztery razy mniejszy od nauczyciela już po 2000 paczek gra prawie jak nauczyciele. Przy $\tau = 0{,}01$, jak w artykule, zbliża się do nich dopiero po mniej więcej trzy razy dłuższym treningu: **za ostrą temperaturę płaci się dłuższym treningiem**. Im mniejszy uczeń, tym niższe wyniki, a błąd kwadratowy jest ostatni przy każdej wielkości. Fioletowa linia to błąd kwadratowy bez poziomu, czyli błąd **przewag** (ang. *advantages*; o ile akcja jest warta więcej niż średnia akcji w danym stanie). Rośnie prawie tak szybko jak przy $\tau = 1$, zgodnie ze wzorem drugiego rzędu.
#
# **W artykule** porównano te straty na czterech grach Atari, z uczniami tak dużymi jak nauczyciele: tam też najgorszy był błąd kwadratowy (w Breakout osiągnął jedną trzecią wyniku nauczyciela, w innych był bliżej), a najlepsze było KL z $\tau = 0{,}01$. W dziesięciu grach, z osobnym uczniem do każdej, uczniowie mający 25 %, 7 % i 4 % wag nauczyciela osiągnęli 108 %, 102 % i 84 % wyniku nauczycieli (średnia geometryczna), a jeden uczeń do trzech gier grał lepiej niż jego nauczyciele i niż DQN trenowany na tych trzech naraz. Warunki są inne: obrazy z ekranu, sieci splotowe, do 18 akcji i trening trwający całymi dniami; na naszym rysunku byłoby to zapewne daleko po prawej, gdzie temperatura prawie nie ma już znaczenia.
#
# **Dlaczego błąd kwadratowy działa tak wolno?** Sprawdź podejrzenie. Jaką część błędu kwadratowego, który uczeń straty 1 miał na początku i który wciąż ma po 2000 paczek, stanowi poziom, $A \bar d^{\,2}$? A u wszystkich czterech uczniów: jak często wybierają akcję nauczyciela, ile wartości tracą przez swój wybór średnio na krok i jak często tracą ponad 0,1?

# %%
def answers(student, name):
    with torch.no_grad():
        return student(torch.from_numpy(shown[name].observations), NAMES.index(name))


def level_share(student, name):
    error = answers(student, name) - shown[name].q
    return (4 * error.mean(1).square().sum() / error.square().sum()).item()


untrained = new_student()
table([(t("before training", "przed treningiem"), *(level_share(untrained, name) for name in NAMES)),
       (t("after 2000 batches", "po 2000 paczek"), *(level_share(students["mse"], name) for name in NAMES))],
      [t("share of the level in the squared error", "udział poziomu w błędzie kwadratowym"), *NAMES])

# %%
def choices(student, name):
    q, chosen = shown[name].q, answers(student, name).argmax(1)
    lost = q.max(1).values - q.gather(1, chosen[:, None])[:, 0]
    return (chosen == q.argmax(1)).float().mean().item(), lost.mean().item(), (lost > 0.1).float().mean().item()


judged = {loss: np.mean([choices(student, name) for name in NAMES], 0) for loss, student in students.items()}
table([(loss, *row, np.mean(live[loss])) for loss, row in judged.items()], [t("mean of the games", "średnia z gier"), t("same action as the teacher", "ta sama akcja co nauczyciel"), t("value lost per step", "wartość tracona na krok"), t("steps that lose over 0.1", "kroki tracące ponad 0,1"), t("score", "wynik")])

# %% [markdown] lang="en"
# At the start nearly all of the squared error is the level, and in two of the three games so is most of what is left after 2000 batches. The student spends its batches on copying *how well things stand*. Take the level away, and the same squared error is one of the fastest losses: the purple line above.
#
# **And why is $\tau = 1$ ahead of 0.01?** Read the second table line by line. The students of NLL and of $\tau = 0.01$ choose the teacher's action no less often than that of $\tau = 1$, but where they err, they lose more. In *catch* and *breakout* firing does nothing, so *fire* is worth exactly as much as *stay*, and which one the teacher prefers, by a hair (the last column of the table of its values), is chance. NLL has to learn such hairs by heart. So has $\tau = 0.01$, less strictly: for it a hair of 0.01 makes odds of $e$ to 1. Both weigh a state where nothing is at stake like one where everything is. With $\tau = 1$ the gradient $\pi - p$ grows with the differences of the values: large gaps first, hairs last. With time and room in the network for everything, that no longer matters.
#
# ## When it fails
#
# **The squared error**, as you saw. And:
#
# **Teachers that contradict each other.** A head per game costs little. What is it good for? Games can be told apart by their pictures, so one head might do for all. (In the recorded runs: the table below.) But take two robots that look alike, and in one of them two wires were swapped in a repair: its *left* goes right. For the same picture, the teacher of the one says *left*, the teacher of the other *right*.
# %% [markdown] lang="pl"
# Na początku prawie cały błąd kwadratowy to poziom, a w dwóch z trzech gier jest nim też większość tego, co zostaje po 2000 paczek. Uczeń zużywa paczki na kopiowanie tego, *jak stoją sprawy*. Odejmij poziom, a ten sam błąd kwadratowy staje się jedną z najszybszych funkcji straty: to fioletowa linia powyżej.
#
# **A dlaczego $\tau = 1$ wyprzedza 0,01?** Przeczytaj drugą tabelę wiersz po wierszu. Uczniowie NLL i $\tau = 0{,}01$ wybierają akcję nauczyciela nie rzadziej niż uczeń $\tau = 1$, ale gdy się mylą, tracą więcej. W *catch* i *breakout* strzał nic nie robi, więc *strzel* jest warte dokładnie tyle co *stój*, a to, którą z tych akcji nauczyciel woli o włos (ostatnia kolumna tabeli jego wartości), jest przypadkiem. NLL musi uczyć się tak drobnych różnic na pamięć. Przy $\tau = 0{,}01$ jest podobnie, choć mniej ściśle: różnica 0,01 daje tam szanse $e$ do 1. W obu przypadkach stan, w którym o nic nie chodzi, waży tyle co ten, w którym chodzi o wszystko. Przy $\tau = 1$ gradient $\pi - p$ rośnie z różnicami wartości: najpierw duże różnice, najmniejsze na końcu. Gdy jest czas, a w sieci miejsce na wszystko, nie ma to już znaczenia.
#
# ## Kiedy to zawodzi
#
# **Błąd kwadratowy**, jak widać wyżej. A poza tym:
#
# **Nauczyciele, którzy sobie przeczą.** Osobna głowica do każdej gry kosztuje niewiele. Po co ona jest? Gry można odróżnić po obrazie, więc może wystarczyłaby jedna do wszystkich. (Wyniki zapisanych przebiegów są w tabeli poniżej.) Weź jednak dwa roboty, które wyglądają tak samo; w jednym z nich podczas naprawy zamieniono dwa przewody: na komendę *w lewo* jedzie w prawo. Na ten sam obraz nauczyciel jednego mówi *w lewo*, a nauczyciel drugiego *w prawo*.

# %% tags=["predict"]
guess = Prediction(
    t("One head learns from both teachers, KL with $\\tau = 1$. What will it score, on average over the two robots? (0 is random, 1 as good as the teachers.)",
      "Jedna głowica uczy się od obu nauczycieli, KL z $\\tau = 1$. Jaki będzie jej wynik, średnio dla obu robotów? (0 to gra losowa, 1 tak dobra jak nauczycieli.)"),
    low=-1, high=1, step=0.05,
)
guess

# %%
SWAPPED = [0, 2, 1, 3]
normal, rewired = shown["catch"], Demonstrations(shown["catch"].observations, shown["catch"].q[:, SWAPPED])


def both_robots(student):
    robots = (partial(student.act, head=0), lambda seen: np.take(SWAPPED, student.act(seen, len(student.heads) - 1)))
    return [(mean_return(act, "catch") - chance["catch"]) / (best["catch"] - chance["catch"]) for act in robots]


wired = {}
for heads in (2, 1):
    pair = new_student(heads=heads)
    imitate(pair, [normal, rewired], loss=LOSSES["kl 1"], updates=1500, seed=SEED, progress=False)
    wired[heads] = both_robots(pair)
table([(heads, *row) for heads, row in wired.items()], [t("heads", "głowice"), t("score: robot", "wynik: robot"), t("rewired robot", "robot po naprawie")])
guess.compare(np.mean(wired[1]))

# %%
rows = []
for loss in ("kl 0.01", "kl 1"):
    shared = record.results["shared"][loss]
    one_head = np.array(shared["scores"])[:, shared["updates"].index(3000)].mean(1)
    alone = np.array(record.results["single"][loss]["scores"])[:, :, -1, 0].mean(1)
    rows.append((loss, *map(mean_pm, (after("quarter", loss, 3000), one_head, alone))))
table(rows, [t("score, three games", "wynik, trzy gry"), t("a head per game", "głowica na grę"), t("one head for all", "jedna głowica"), t("a student per game", "uczeń na grę")])
record.note()

# %% [markdown] lang="en"
# For each picture the divergence from two teachers, on average, is smallest where $\pi$ is the mean of their probabilities. *Left* and *right* then get equal probability, and the player does neither well: it plays hardly better than chance. No loss, no temperature and no larger network can mend that, for the input does not say what is asked; a head per robot can, at once. The three games are another matter: their pictures tell them apart, and one head for all does about as well as one for each. A separate student per game, with three times the weights in all and as many batches of each game, is not much better than sharing: the trunk holds all three.
#
# **States that the teacher never shows.** The student learns from where the *teacher* goes. Once it errs, it gets into states that it knows nothing about, and errs more. That is why the teacher took a random action now and then. Lesson 11 lets the student itself play and asks the teachers what they would do there.
#
# ## In robotics
#
# Traoré et al. 2019 ([arXiv 1907.05855](https://arxiv.org/abs/1907.05855)) had a real three-wheeled robot, which can drive in any direction, do three navigation tasks with one network. Each was learned in simulation, one after the other; of each, states and the teacher's probabilities were kept, and a student was distilled from all of them. It tells by the picture which task is on. Old skills are kept because the old teachers' answers stay in the data; [lesson 14](14_continual_learning.ipynb) comes back to that. Distillation is also how *privileged* knowledge reaches a robot: a teacher in simulation sees what no sensor measures, friction and the shape of the ground, and its student learns to act alike from what the real robot feels. With such a student a quadruped walked over mud, snow and rubble (Lee et al. 2020, [arXiv 2010.11251](https://arxiv.org/abs/2010.11251)).
#
# And what does it cost on board? For each network: weights, memory at four bytes per weight, multiplications for a decision, the time of a decision here, alone and for 256 states at once.
# %% [markdown] lang="pl"
# Średnia dywergencja od dwóch nauczycieli jest dla każdego obrazu najmniejsza, gdy $\pi$ to średnia ich prawdopodobieństw. *W lewo* i *w prawo* są wtedy równie prawdopodobne i gracz nie robi porządnie ani jednego, ani drugiego: gra niewiele lepiej niż losowo. Nie naprawi tego żadna strata, żadna temperatura ani większa sieć, bo wejście nie mówi, o co chodzi; osobna głowica dla każdego robota naprawia to od razu. Z trzema grami jest inaczej: można je odróżnić po obrazie, więc jedna głowica do wszystkich jest mniej więcej tak dobra jak osobne. Osobny uczeń do każdej gry, razem o trzykrotnie większej liczbie wag i z taką samą liczbą paczek z każdej gry, nie jest o wiele lepszy niż wspólny: pień mieści wszystkie trzy.
#
# **Stany, których nauczyciel nigdy nie pokazuje.** Uczeń uczy się tam, gdzie chodzi *nauczyciel*. Gdy raz się pomyli, trafia do stanów, o których nic nie wie, i myli się dalej. Dlatego nauczyciel wykonywał czasem losową akcję. W lekcji 11 gra sam uczeń, a nauczyciele mówią, co by tam zrobili.
#
# ## W robotyce
#
# Traoré i in. 2019 ([arXiv 1907.05855](https://arxiv.org/abs/1907.05855)) kazali prawdziwemu robotowi na trzech kołach, który może jechać w każdym kierunku, wykonywać trzy zadania nawigacji jedną siecią. Każde opanowano w symulacji, jedno po drugim; z każdego zachowano stany i prawdopodobieństwa nauczyciela, a na wszystkich razem wytrenowano ucznia. Które zadanie właśnie trwa, poznaje po obrazie. Dawne umiejętności zachowuje, bo odpowiedzi dawnych nauczycieli zostają w danych; wraca do tego [lekcja 14](14_continual_learning.ipynb). Destylacją przekazuje się robotom także wiedzę *uprzywilejowaną*: nauczyciel w symulacji widzi to, czego nie mierzy żaden czujnik, tarcie i kształt podłoża, a uczeń uczy się działać tak samo na podstawie tego, co prawdziwy robot czuje. Z takim uczniem czworonożny robot chodził po błocie, śniegu i gruzie (Lee i in. 2020, [arXiv 2010.11251](https://arxiv.org/abs/2010.11251)).
#
# A ile to kosztuje na pokładzie? Dla każdej sieci: wagi, pamięć przy czterech bajtach na wagę, mnożenia na jedną decyzję, czas decyzji tutaj, pojedynczo i dla 256 stanów naraz.

# %%
small = new_student("fourteenth")
imitate(small, list(shown.values()), loss=LOSSES["kl 1"], updates=3000, seed=SEED, progress=False)


def microseconds(network, states):
    seen = shown["catch"].observations[:states]
    return min(timeit.repeat(lambda: network.act(seen), number=10, repeat=30)) / 10 * 1e6


def cost(network):
    number = sum(weight.numel() for weight in network.parameters())
    products = sum(weight.numel() for weight in network.trunk.parameters() if weight.ndim == 2) + network.heads[0].weight.numel()
    return number, f"{4 * number / 1000:.0f} kB", products, *(f"{microseconds(network, states):.0f} µs" for states in (1, 256))


one = t("one teacher, one game", "jeden nauczyciel, jedna gra")
onboard = {one: (teachers["catch"], 1.0), "36, 24": (students["kl 1"], np.mean(live["kl 1"])), "10, 16": (small, np.mean(scores(small)))}
table([(name, *cost(network), score) for name, (network, score) in onboard.items()],
      [t("network", "sieć"), t("weights", "wagi"), t("memory", "pamięć"), t("multiplications", "mnożenia"), t("1 state", "1 stan"), t("256 states", "256 stanów"), t("score", "wynik")])

# %% [markdown] lang="en"
# The small student has a fourteenth of the weights of *one* teacher and replaces three. The time of a single decision tells little of that: for networks as small as these, calling the library costs as much as the multiplications, or more. With 256 states at once the multiplications show, and on a microcontroller, which has no library in between and counts memory in kilobytes, they are nearly all there is.
#
# ## Exercises
#
# **1. The divergence.** `student_logits` and `teacher_q` are tensors of shape $(B, A)$, `tau` a number. Return $L_{\text{KL}}$: summed over the actions, averaged over the states. Do not use the package's function.
# %% [markdown] lang="pl"
# Mały uczeń ma jedną czternastą wag *jednego* nauczyciela, a zastępuje trzech. Czas pojedynczej decyzji niewiele o tym mówi: przy tak małych sieciach wywołanie biblioteki kosztuje tyle co mnożenia albo więcej. Przy 256 stanach naraz mnożenia już widać, a w mikrokontrolerze, gdzie nie ma po drodze żadnej biblioteki, a pamięć liczy się w kilobajtach, są prawie wszystkim.
#
# ## Ćwiczenia
#
# **1. Dywergencja.** `student_logits` i `teacher_q` to tensory kształtu $(B, A)$, a `tau` to liczba. Zwróć $L_{\text{KL}}$: sumę po akcjach, średnią po stanach. Nie używaj funkcji z pakietu.

# %% tags=["exercise"]
def divergence(student_logits, teacher_q, tau):
    return ...


# %% [markdown] lang="en" tags=["hint"]
# `log_softmax(1)` gives the logarithms of both distributions; only `teacher_q` is divided by `tau`. $\sum_a p_a (\ln p_a - \ln \pi_a)$ is a number per state.
# %% [markdown] lang="pl" tags=["hint"]
# `log_softmax(1)` daje logarytmy obu rozkładów; przez `tau` dzieli się tylko `teacher_q`. $\sum_a p_a (\ln p_a - \ln \pi_a)$ to jedna liczba na stan.

# %% tags=["check"]
check("kl_loss", divergence)


# %% tags=["solution"]
def divergence(student_logits, teacher_q, tau):
    teacher, student = (teacher_q / tau).log_softmax(1), student_logits.log_softmax(1)
    return (teacher.exp() * (teacher - student)).sum(1).mean()


# %% [markdown] lang="en"
# **2. Which temperature?** There are two actions, and the better one is worth `gap` more. At which temperature does it get the probability `p`, between ½ and 1? (`gap` is a tensor of several gaps, `p` a number.) Try it with the median gaps of the table above and $p = 0.9$.
# %% [markdown] lang="pl"
# **2. Która temperatura?** Są dwie akcje, a lepsza jest warta o `gap` więcej. Przy jakiej temperaturze dostaje prawdopodobieństwo `p`, między ½ a 1? (`gap` to tensor kilku różnic, `p` to liczba.) Wypróbuj to na medianach różnic z tabeli powyżej i $p = 0{,}9$.

# %% tags=["exercise"]
def temperature(gap, p):
    return ...


# %% [markdown] lang="en" tags=["hint"]
# Take the logarithm of $p / (1 - p) = e^{g/\tau}$, and solve for $\tau$.
# %% [markdown] lang="pl" tags=["hint"]
# Zlogarytmuj $p / (1 - p) = e^{g/\tau}$ i wyznacz $\tau$.

# %% tags=["check"]
check("temperature", temperature)


# %% tags=["solution"]
def temperature(gap, p):
    return gap / math.log(p / (1 - p))


# %% [markdown] lang="en"
# **3. The squared error of the advantages**, the purple line above. `student_q` and `teacher_q` have the shape $(B, A)$. Return the squared error without the level, $\frac1B \sum_s \sum_a (d_{sa} - \bar d_s)^2$ with $d = q^S - q^T$ and its mean $\bar d_s$ over the actions of a state: summed over the actions, averaged over the states. A gradient must reach the student. (Once it is right, give it to `imitate` as the `loss`, and compare the `scores` with those of `mse`.)
# %% [markdown] lang="pl"
# **3. Błąd kwadratowy przewag**, czyli fioletowa linia powyżej. `student_q` i `teacher_q` mają kształt $(B, A)$. Zwróć błąd kwadratowy bez poziomu, $\frac1B \sum_s \sum_a (d_{sa} - \bar d_s)^2$, gdzie $d = q^S - q^T$, a $\bar d_s$ to jego średnia po akcjach stanu: sumę po akcjach, średnią po stanach. Gradient ma docierać do ucznia. (Gdy wynik będzie dobry, podaj tę funkcję do `imitate` jako `loss` i porównaj `scores` z wynikami `mse`.)

# %% tags=["exercise"]
def without_level(student_q, teacher_q):
    return ...


# %% [markdown] lang="en" tags=["hint"]
# The mean of each state must be taken from its own row: `mean(1, keepdim=True)` has the shape $(B, 1)$, which fits $(B, A)$.
# %% [markdown] lang="pl" tags=["hint"]
# Średnią każdego stanu trzeba odjąć od jego własnego wiersza: `mean(1, keepdim=True)` ma kształt $(B, 1)$, który pasuje do $(B, A)$.

# %% tags=["check"]
check("without_level", without_level)


# %% tags=["solution"]
def without_level(student_q, teacher_q):
    error = student_q - teacher_q
    return (error - error.mean(1, keepdim=True)).square().sum(1).mean()


# %% [markdown] lang="en"
# ## Quiz
# %% [markdown] lang="pl"
# ## Quiz

# %% tags=["quiz"]
quiz(
    Quiz(
        t("To all Q-values of one state you add 100. Which loss notices?", "Do wszystkich wartości Q jednego stanu dodajesz 100. Która strata to zauważy?"),
        [
            (t("Only the squared error.", "Tylko błąd kwadratowy."), True,
             t("Yes: softmax and argmax depend on differences only. So do the decisions.", "Tak: softmax i argmax zależą tylko od różnic. Decyzje też.")),
            (t("KL, because its probabilities change.", "KL, bo zmieniają się prawdopodobieństwa."), False,
             t("The factor $e^{100/\\tau}$ stands above and below in the softmax and cancels.", "Czynnik $e^{100/\\tau}$ stoi w softmaksie na górze i na dole i się skraca.")),
            (t("All three.", "Wszystkie trzy."), False,
             t("Two of them see differences of actions only.", "Dwie z nich widzą tylko różnice między akcjami.")),
        ],
    ),
    Quiz(
        t("Two actions are worth 1.00 and 1.02. What does $\\tau = 0.01$ make of them?", "Dwie akcje są warte 1,00 i 1,02. Co zrobi z nich $\\tau = 0{,}01$?"),
        [
            (t("½ and ½: they are practically equal.", "½ i ½: są praktycznie równe."), False,
             t("That would be so at $\\tau = 1$. Here the gap is two temperatures.", "Tak byłoby przy $\\tau = 1$. Tutaj różnica to dwie temperatury.")),
            (t("About 0.12 and 0.88.", "Około 0,12 i 0,88."), True,
             t("Yes: the gap is $2 \\tau$, and $1 / (1 + e^{-2}) \\approx 0.88$.", "Tak: różnica to $2 \\tau$, a $1 / (1 + e^{-2}) \\approx 0{,}88$.")),
            (t("0 and 1.", "0 i 1."), False,
             t("Nearly so only if the gap is many temperatures wide.", "Prawie tak, ale dopiero gdy różnica to wiele temperatur.")),
        ],
    ),
    Quiz(
        t("The student agrees with its teacher in four states of five only, and yet plays as well. How can that be?", "Uczeń zgadza się z nauczycielem tylko w czterech stanach na pięć, a gra tak samo dobrze. Jak to możliwe?"),
        [
            (t("The evaluation is wrong.", "Ocena jest błędna."), False,
             t("It need not be: look at what the other choices cost.", "Nie musi: spójrz, ile kosztują inne wybory.")),
            (t("It has learned to play better in the other states.", "Nauczył się grać lepiej w pozostałych stanach."), False,
             t("It saw nobody play better; that may happen, but equal play needs no such explanation.", "Nikt mu nie pokazał lepszej gry; to się zdarza, ale równie dobrej gry nie trzeba tak tłumaczyć.")),
            (t("In many states several actions are as good as equal.", "W wielu stanach kilka akcji jest praktycznie równie dobrych."), True,
             t("Yes: what counts is the value that is lost, not the agreement.", "Tak: liczy się tracona wartość, a nie zgodność.")),
        ],
    ),
    Quiz(
        t("When does one network with a single head fail for two tasks?", "Kiedy jedna sieć z jedną głowicą zawodzi w dwóch zadaniach?"),
        [
            (t("Whenever they are two.", "Zawsze, gdy są dwa."), False,
             t("If the observation tells which task it is, the network can act accordingly.", "Jeśli z obserwacji widać, które to zadanie, sieć może działać odpowiednio.")),
            (t("When the same observation demands different actions.", "Gdy ta sama obserwacja wymaga różnych akcji."), True,
             t("Yes: then it can only learn the mean of the answers.", "Tak: wtedy może się nauczyć tylko średniej odpowiedzi.")),
            (t("When the temperature is low.", "Gdy temperatura jest niska."), False,
             t("No temperature makes two answers out of one output.", "Żadna temperatura nie zrobi z jednego wyjścia dwóch odpowiedzi.")),
        ],
    ),
)

# %% [markdown] lang="en"
# ## What we saw
#
# - A Q-value is the discounted sum of rewards to be expected after an action; DQN learns it by making it agree with the reward and the next state's best value.
# - Copy the values, the choice or the preferences: for KL the gradient is $\pi - p$, the student's probabilities minus the teacher's.
# - A temperature measures gaps: an action that is better by $g$ has the odds $e^{g/\tau}$. Towards 0 only the choice is left; where it is large compared with the gaps, as 1 is here, a squared error without the level.
# - One student with a quarter of a teacher's weights played three games nearly like their teachers. A soft temperature got there first; a sharp one needed longer, and the longer the training, the less it mattered.
# - The squared error spends itself on the level, on which no decision depends. And where one picture demands two answers, no single head can give them.
#
# The numbers of this run and of the recorded ones have to bear this out:
# %% [markdown] lang="pl"
# ## Podsumowanie
#
# - Wartość Q to zdyskontowana suma nagród, jakiej można oczekiwać po akcji; DQN uczy się jej, uzgadniając ją z nagrodą i najlepszą wartością następnego stanu.
# - Można kopiować wartości, wybór albo preferencje: dla KL gradient to $\pi - p$, prawdopodobieństwa ucznia minus prawdopodobieństwa nauczyciela.
# - Temperatura mierzy różnice: akcja lepsza o $g$ ma szanse $e^{g/\tau}$. Blisko 0 zostaje sam wybór; gdy jest duża w porównaniu z różnicami, jak tutaj 1, błąd kwadratowy bez poziomu.
# - Jeden uczeń, mający jedną czwartą wag nauczyciela, grał w trzy gry prawie jak nauczyciele. Z miękką temperaturą doszedł tam najszybciej, z ostrą potrzebował więcej czasu, a im dłuższy trening, tym mniejsze to miało znaczenie.
# - Błąd kwadratowy traci siły na poziom, od którego nie zależy żadna decyzja. A gdzie jeden obraz wymaga dwóch odpowiedzi, tam nie da ich żadna pojedyncza głowica.
#
# Liczby z tego uruchomienia i z zapisanych przebiegów muszą to potwierdzać:

# %% tags=["claim"]
claim(t("Score of the student of KL with τ = 1, mean of the games", "Wynik ucznia KL z τ = 1, średnia z gier"), np.mean(live["kl 1"]), at_least=0.8)
claim(t("Its lead over the student of the squared error", "Jego przewaga nad uczniem błędu kwadratowego"), np.mean(live["kl 1"]) - np.mean(live["mse"]), at_least=0.15)
claim(t("Its weights, as a share of those of the three teachers", "Jego wagi jako część wag trzech nauczycieli"), weights["quarter"] / sum(w.numel() for teacher in teachers.values() for w in teacher.parameters()), at_most=0.1)
claim(t("Share of the level in the squared error before training, the least of the games", "Udział poziomu w błędzie kwadratowym przed treningiem, najmniejszy z gier"), min(level_share(untrained, name) for name in NAMES), at_least=0.7)
claim(t("The same after 2000 batches, the game in the middle", "To samo po 2000 paczek, gra pośrodku"), np.median([level_share(students["mse"], name) for name in NAMES]), at_least=0.5)
claim(t("Levels spread more than actions within a state, the least of the games", "Ile razy bardziej rozrzucone są poziomy niż akcje w stanie, najmniej z gier"), min(levels / within for levels, within in spread.values()), at_least=1.5, unit="×")
claim(t("How much less often τ = 1 chooses the teacher's action than NLL", "O ile rzadziej uczeń τ = 1 wybiera akcję nauczyciela niż uczeń NLL"), judged["nll"][0] - judged["kl 1"][0], at_least=-0.03)
claim(t("How many times more value NLL loses per step", "Ile razy więcej wartości na krok traci uczeń NLL"), judged["nll"][1] / judged["kl 1"][1], at_least=1.3, unit="×")
claim(t("Rewired robot: score with a head for each, the worse of the two", "Robot po naprawie: wynik z osobnymi głowicami, gorszy z dwóch"), min(wired[2]), at_least=0.85)
claim(t("The same with one head, mean of the two", "To samo z jedną głowicą, średnia z obu"), np.mean(wired[1]), at_most=0.5)
claim(t("Recorded, 2000 batches: lead of τ = 1 over τ = 0.01, mean", "Zapisane, 2000 paczek: przewaga τ = 1 nad τ = 0.01, średnia"), (after("quarter", "kl 1", 2000) - after("quarter", "kl 0.01", 2000)).mean(), at_least=0.15)
claim(t("The same after 6000", "To samo po 6000"), (after("quarter", "kl 1", 6000) - after("quarter", "kl 0.01", 6000)).mean(), at_most=0.2)
claim(t("Recorded, 3000 batches: lead of the squared error without the level over the plain one, mean", "Zapisane, 3000 paczek: przewaga błędu kwadratowego bez poziomu nad zwykłym, średnia"), (after("quarter", "advantages", 3000) - after("quarter", "mse", 3000)).mean(), at_least=0.3)
claim(t("Smallest student: lead of τ = 1 over the squared error, mean", "Najmniejszy uczeń: przewaga τ = 1 nad błędem kwadratowym, średnia"), (after("fourteenth", "kl 1", 3000) - after("fourteenth", "mse", 3000)).mean(), at_least=0.3)
claim(t("What one head for the three games loses, τ = 1, mean", "Ile traci jedna głowica do trzech gier, τ = 1, średnia"), (after("quarter", "kl 1", 3000) - one_head).mean(), at_most=0.15)
claim(t("What a student per game gains, τ = 1, mean", "Ile zyskuje osobny uczeń do każdej gry, τ = 1, średnia"), (alone - after("quarter", "kl 1", 3000)).mean(), at_most=0.15)

# %% [markdown] lang="en"
# ## Where to go next
#
# - Rusu et al. 2015, *Policy Distillation*, [arXiv 1511.06295](https://arxiv.org/abs/1511.06295)
# - Hinton, Vinyals and Dean 2015, *Distilling the Knowledge in a Neural Network*, [arXiv 1503.02531](https://arxiv.org/abs/1503.02531)
# - Mnih et al. 2013, *Playing Atari with Deep Reinforcement Learning*, [arXiv 1312.5602](https://arxiv.org/abs/1312.5602)
# - Teh et al. 2017, *Distral: Robust Multitask Reinforcement Learning*, [arXiv 1707.04175](https://arxiv.org/abs/1707.04175)
# - Czarnecki et al. 2019, *Distilling Policy Distillation*, [arXiv 1902.02186](https://arxiv.org/abs/1902.02186)
# - Traoré et al. 2019, *DisCoRL: Continual Reinforcement Learning via Policy Distillation*, [arXiv 1907.05855](https://arxiv.org/abs/1907.05855)
# - Lee et al. 2020, *Learning Quadrupedal Locomotion over Challenging Terrain*, [arXiv 2010.11251](https://arxiv.org/abs/2010.11251)
#
# [Lesson 09](09_maml.ipynb) looks for weights from which a new task is learned fast; [lesson 11](11_actor_mimic.ipynb) asks the same of a distilled student: does what it has learned from several teachers help with a game that is new?
# %% [markdown] lang="pl"
# ## Co dalej
#
# - Rusu i in. 2015, *Policy Distillation*, [arXiv 1511.06295](https://arxiv.org/abs/1511.06295)
# - Hinton, Vinyals i Dean 2015, *Distilling the Knowledge in a Neural Network*, [arXiv 1503.02531](https://arxiv.org/abs/1503.02531)
# - Mnih i in. 2013, *Playing Atari with Deep Reinforcement Learning*, [arXiv 1312.5602](https://arxiv.org/abs/1312.5602)
# - Teh i in. 2017, *Distral: Robust Multitask Reinforcement Learning*, [arXiv 1707.04175](https://arxiv.org/abs/1707.04175)
# - Czarnecki i in. 2019, *Distilling Policy Distillation*, [arXiv 1902.02186](https://arxiv.org/abs/1902.02186)
# - Traoré i in. 2019, *DisCoRL: Continual Reinforcement Learning via Policy Distillation*, [arXiv 1907.05855](https://arxiv.org/abs/1907.05855)
# - Lee i in. 2020, *Learning Quadrupedal Locomotion over Challenging Terrain*, [arXiv 2010.11251](https://arxiv.org/abs/2010.11251)
#
# [Lekcja 09](09_maml.ipynb) szuka wag, od których nowego zadania uczy się szybko; [lekcja 11](11_actor_mimic.ipynb) stawia to samo pytanie uczniowi po destylacji: czy to, czego nauczył się od kilku nauczycieli, pomaga w nowej grze?
