# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   tlcourse:
#     title: {en: Actor-Mimic, pl: Actor-Mimic}
#     minutes: 60
#     seconds: 55
#     prerequisites: ["10_policy_distillation"]
# ---

# %% [markdown] lang="en"
# # Actor-Mimic
#
# A robot that can climb, leap and crawl should not begin from nothing when it is to learn one skill more. Here a single network learns from three experts how they act, and takes what it has learned into a game that none of them has ever played.
#
# **After this lesson you will be able to**
#
# - write the two losses of Actor-Mimic, derive their gradients, and say what each of them asks of the network,
# - say why the student has to learn in the situations into which it gets itself, and show it,
# - start DQN from the student, and measure the head start as an area with its interval over seeds,
# - find out which expert helps with a new task and which one harms,
# - check by a control experiment what it is that was carried over.
#
# **You need**: [lesson 10](10_policy_distillation.ipynb), partial derivatives, least squares. **Time**: about an hour; the code runs in
# under a minute. New words are explained in the glossary of [lesson 00](00_start.ipynb).
# %% [markdown] lang="pl"
# # Actor-Mimic
#
# Robot, który umie skakać, wspinać się i czołgać, nie powinien zaczynać od zera, gdy ma się nauczyć jeszcze jednej rzeczy. Tutaj jedna sieć uczy się od trzech ekspertów (ang. *experts*), jak postępują, a potem przenosi to, czego się nauczyła, do gry, w którą żaden z nich nigdy nie grał.
#
# **Po tej lekcji będziesz umieć**
#
# - zapisać obie straty metody Actor-Mimic, wyprowadzić ich gradienty i powiedzieć, czego każda z nich żąda od sieci,
# - powiedzieć, dlaczego uczeń (ang. *student*) musi się uczyć w sytuacjach, w które sam się wpędza, i to pokazać,
# - zacząć trening DQN od sieci ucznia i zmierzyć przewagę na starcie jako pole pod krzywą, z przedziałem ufności po ziarnach losowości,
# - sprawdzić, który ekspert pomaga w nowym zadaniu, a który szkodzi,
# - sprawdzić eksperymentem kontrolnym, co właściwie zostało przeniesione.
#
# **Co trzeba umieć**: [lekcja 10](10_policy_distillation.ipynb), pochodne cząstkowe, metoda najmniejszych kwadratów. **Czas**: około godziny; kod wykonuje się
# niecałą minutę. Nowe słowa wyjaśnia słowniczek w [lekcji 00](00_start.ipynb).

# %% tags=["setup"]
from tlcourse.classroom import start_lesson, t

start_lesson("11_actor_mimic", lang="en")

# %% tags=["imports"]
import copy
from functools import partial
from itertools import repeat

import matplotlib.pyplot as plt
import numpy as np
import torch
from scipy import stats

from tlcourse.actor_mimic import feature_regression, policy_regression, train_actor_mimic, transfer_network
from tlcourse.classroom import (
    Prediction, Quiz, band, check, claim, explore, image_grid, mean_pm, palette, quiz, recorded, show, show_source, table,
)
from tlcourse.classroom.run import ROOT
from tlcourse.classroom.tables import mean_interval
from tlcourse.policy_distillation import demonstrate, imitate, softened
from tlcourse.rl.dqn import train_dqn
from tlcourse.rl.q_networks import QNetwork, load_q_network, mlp_trunk
from tlcourse.rl.support import evaluate_policy
from tlcourse.robots.games import GAMES, picture
from tlcourse.runtime import seed_everything

SEED = 0

# %% [markdown] lang="en"
# ## The idea
#
# Sit beside a good driver for a year, and you will know how to drive as long as all goes well. What she does when the car skids, you have never seen: with her it does not skid. On your own first drive it will. That is why in a driving school the *learner* sits at the wheel, and the instructor says what she would do **there**.
#
# **Actor-Mimic** (Parisotto et al. 2015, [arXiv 1511.06342](https://arxiv.org/abs/1511.06342)) is a driving school with several instructors, say for car, lorry and motorcycle, and one learner for all of it: a single network, the **student**. It plays; the **experts** tell what they would do in its place; it imitates them. One day it climbs onto a tractor, for which there is no instructor, and learns by trial and error. But it does not begin as somebody who has never held a steering wheel.
#
# From lesson 10 we keep these words. $Q(s, a)$ is the value of action $a$ in state $s$: the sum of the rewards to be expected from then on, later ones counting less. **DQN** learns it by trial and error: it plays, keeps what happened in a replay buffer, and draws from there what it trains on; it takes the action of the largest value, but now and then a random one, for exploration. Each expert is a network trained in this way on *its* game, and distillation trains a student to answer as the experts do, in lesson 10 with their games only as the goal. What Actor-Mimic does differently:
#
# | | policy distillation | Actor-Mimic |
# | --- | --- | --- |
# | who plays while the student learns | the teacher | the student |
# | temperature of the experts' answers | 0.01 in its paper | 1 here |
# | what is imitated | the policy | the policy and the features |
# | what the student is for | to play the same games | to begin a new one as well |
#
# Our experts play **catch** (things fall straight down; catch the good ones, not the bad ones), **breakout** and **invaders**. The new game is **zigzag**: good and bad things fall aslant and bounce off the walls. All four have the same screen, 10 × 10 cells with four channels, and the same four actions.
# %% [markdown] lang="pl"
# ## Pomysł
#
# Pojeździj rok obok dobrej kierowczyni, a będziesz wiedzieć, jak prowadzić, dopóki wszystko idzie dobrze. Tego, co robi, gdy auto wpadnie w poślizg, nie zobaczysz nigdy: jej auto w poślizg nie wpada. Twoje wpadnie przy pierwszej okazji. Dlatego w szkole jazdy za kierownicą siedzi *kursant*, a instruktorka mówi, co zrobiłaby **w tym miejscu**.
#
# **Actor-Mimic** (naśladowanie aktora; Parisotto i in. 2015, [arXiv 1511.06342](https://arxiv.org/abs/1511.06342)) to szkoła jazdy z kilkoma instruktorami, powiedzmy od samochodu, ciężarówki i motocykla, i z jednym kursantem od wszystkiego: jedną siecią, **uczniem**. Uczeń gra, **eksperci** mówią, co zrobiliby na jego miejscu, a on ich naśladuje. Pewnego dnia wsiada na traktor, do którego nie ma instruktora, i uczy się metodą prób i błędów. Nie zaczyna jednak jak ktoś, kto nigdy nie trzymał kierownicy.
#
# Pojęcia znamy z lekcji 10. $Q(s, a)$ to wartość akcji $a$ w stanie $s$: suma nagród, jakich można się odtąd spodziewać, przy czym późniejsze liczą się mniej. **DQN** uczy się jej metodą prób i błędów: gra, zapisuje to, co się zdarzyło, w buforze powtórek (ang. *replay buffer*) i stamtąd losuje przykłady do treningu; wybiera akcję o największej wartości, a co pewien czas losową, dla eksploracji (ang. *exploration*). Każdy ekspert to sieć wytrenowana w ten sposób w *swojej* grze, a destylacja trenuje ucznia tak, żeby odpowiadał jak eksperci; w lekcji 10 chodziło tylko o ich gry. Co Actor-Mimic robi inaczej:
#
# | | destylacja polityki | Actor-Mimic |
# | --- | --- | --- |
# | kto gra, gdy uczeń się uczy | nauczyciel | uczeń |
# | temperatura odpowiedzi ekspertów | 0,01 w artykule | 1 tutaj |
# | co się naśladuje | politykę | politykę i cechy |
# | do czego służy uczeń | do grania w te same gry | także do rozpoczęcia nowej |
#
# Nasi eksperci grają w **catch** (przedmioty spadają prosto w dół; dobre łap, złych unikaj), **breakout** i **invaders**. Nowa gra to **zigzag**: dobre i złe przedmioty spadają na ukos i odbijają się od ścian. Wszystkie cztery mają taki sam ekran, 10 × 10 pól z czterema kanałami, i te same cztery akcje.

# %%
OLD, NEW = ("catch", "breakout", "invaders"), "zigzag"
experts = [load_q_network(ROOT / "data" / "teachers" / f"{game}.safetensors") for game in OLD]
pictures = []
for game, act in zip((*OLD, NEW), [*(expert.act for expert in experts), lambda seen: [0]]):
    env = GAMES[game](1)
    seen, _ = env.reset(seed=SEED)
    for _ in range(6):
        seen, *_ = env.step(act(seen))
        pictures.append(np.asarray(picture(seen[0])))
fig = image_grid(np.stack(pictures).transpose(0, 3, 1, 2), rows=4, row_names=(*OLD, NEW), size=1)
show(fig, alt=t("Six successive pictures of each of the four games: a blue player in the bottom row, green and red things above, grey traces.",
                "Po sześć kolejnych obrazów z każdej z czterech gier: niebieski gracz w dolnym rzędzie, nad nim zielone i czerwone przedmioty, szare ślady."))

# %% [markdown] lang="en"
# From left to right, step by step: the player is blue, good things are green, bad ones red (in breakout the ball is green and the bricks are red), and grey traces show where something was a step ago. In the first three games the experts are playing, ready-made, from lesson 10; in zigzag the player stands still.
#
# ## The mathematics
#
# **Policy regression.** Values become probabilities by a softmax with the temperature $\tau$. With $\pi_i$ for expert $i$, with the student's outputs $z_a(s)$ for its game, one for each action, and with $p = \operatorname{softmax}(z)$ for its policy, the loss in a state is the **cross-entropy**:
#
# $$\pi_i(a \mid s) = \frac{e^{Q_i(s, a) / \tau}}{\sum_b e^{Q_i(s, b) / \tau}}, \qquad L_{\text{policy}} = -\sum_a \pi_i(a \mid s) \log p(a \mid s) .$$
#
# Its gradient is the step that matters. As $\log p_a = z_a - \log \sum_b e^{z_b}$, and as the probabilities $\pi_a$ add up to 1,
#
# $$L_{\text{policy}} = \log \sum_b e^{z_b} - \sum_a \pi_a z_a, \qquad \frac{\partial L_{\text{policy}}}{\partial z_a} = p_a - \pi_a .$$
#
# The student is told the difference of the probabilities, nothing else. Two things follow. A constant added to all values of a state changes nothing: the student learns **what to do, not how good things are**. And no component is ever larger than 1, however large the rewards of a game are: three experts with different scales of reward can teach one network, and none can shout the others down without limit. With $H(\pi) = -\sum_a \pi_a \log \pi_a$ for the entropy, $L_{\text{policy}} = H(\pi_i) + \mathrm{KL}(\pi_i \,\|\, p)$: as the first term does not depend on the student, this is the Kullback–Leibler divergence of lesson 10.
#
# *By hand*: two actions, values 2 and 0. At $\tau = 1$ the expert's probabilities are $e^2 / (e^2 + 1) = 0.88$ and 0.12; a student that does not know yet has ½ and ½; the gradient is $(-0.38, 0.38)$. If the values are 0.1 and 0, the expert has 0.525 and 0.475, and the gradient shrinks to $(-0.025, 0.025)$. Where hardly anything depends on the action, the expert hardly insists; nor does, at the same $\tau$, an expert whose game has small rewards throughout. With $\tau = 0.01$ it would insist: $(-0.5, 0.5)$ in both cases.
#
# **Feature regression.** Let $h(s)$ be the student's **features**, the outputs of the last layer before its heads, and $h_i(s)$ those of expert $i$. A linear map of its own for each expert, $W_i$ with the bias $b_i$, is to predict the expert's features from the student's; it is trained along with the network, and thrown away in the end:
#
# $$L_{\text{features}} = \big\| W_i\, h(s) + b_i - h_i(s) \big\|^2, \qquad L = L_{\text{policy}} + \beta\, L_{\text{features}} .$$
#
# The number $\beta$ (0.01 in the paper) says how much this loss counts. Why should it help? An expert's values are linear in its features, $Q_i = V_i h_i + c_i$; that is its head. Where the map is exact, $Q_i = V_i W_i h + V_i b_i + c_i$: **everything that the expert knows can be read off the student's features by a linear layer**, even what policy regression ignores, how good a state is. Into the student's features goes the gradient $2\, W_i^\top (W_i h + b_i - h_i)$. For given features the best map is least squares: with $\bar h$, $\bar h_i$ for the means over the states and $C_{xy}$ for the matrix of covariances of $x$ and $y$,
#
# $$W_i = C_{h_i h}\, C_{h h}^{-1}, \qquad b_i = \bar h_i - W_i \bar h, \qquad R^2 = 1 - \frac{\sum_s \| W_i h(s) + b_i - h_i(s) \|^2}{\sum_s \| h_i(s) - \bar h_i \|^2} .$$
#
# $R^2$, the share of the variation of the expert's features that can be read off, is our window into the network.
#
# **Transfer.** For the new game the heads are thrown away. The **trunk**, all layers up to the features, stays, gets one new head with random weights, and DQN trains all of it. Call $R(u)$ the return after $u$ updates of DQN, and measure a whole curve of $U$ updates by its mean height, the area under it divided by its length:
#
# $$A = \frac{1}{U} \int_0^U R(u)\, \mathrm{d}u .$$
#
# The **head start** of a method is the difference of two such $A$, its own minus that of a random start. (At $u = 0$ nobody can play yet, for every head is new: what counts is how fast the return then rises.) One pair of curves says nothing about its uncertainty. Take $n$ seeds, each with *both* methods, and the $n$ differences $d_1, \dots, d_n$ with their mean $\bar d$ and standard deviation $s_d$; the 95 % interval is $\bar d \pm t_{n-1}\, s_d / \sqrt n$, where $t_{n-1}$ is the 97.5 % quantile of Student's distribution (2.78 for five seeds, 2.26 for ten).
#
# ### Who should play?
#
# Say that an episode lasts $T$ steps, and that in states like those it was trained on the student takes a wrong action with probability $\varepsilon$.
#
# *The experts play*, the student is trained on the states that they visit. There it errs with probability $\varepsilon$. But after its first error it may be where no expert ever was and nothing has been promised; at the worst, it errs from then on in every step. A step $t$ is then wrong unless all steps up to it went right, so the number of wrong steps is expected to be up to
#
# $$\sum_{t=1}^{T} \Big( 1 - (1 - \varepsilon)^t \Big) = T - \frac{1 - \varepsilon}{\varepsilon} \Big( 1 - (1 - \varepsilon)^T \Big) \approx \frac{\varepsilon\, T^2}{2} ,$$
#
# the approximation being for small $\varepsilon T$. *The student plays*, and is trained on the states that *it* visits: it errs with probability $\varepsilon$ in each of the $T$ steps, and so in $\varepsilon T$ of them. If an error costs at most $\kappa$ of the return, because the student knows the way back from it, it loses at most $\kappa\, \varepsilon\, T$.
#
# $T^2$ or $T$, that is the difference (Ross et al. 2011, [arXiv 1011.0686](https://arxiv.org/abs/1011.0686); their method, **DAgger**, collects states while the student plays, and has the expert label all of them). The trouble is called **covariate shift**: the states in the test follow another distribution than those in training; here it is the student's own actions that shift it.
# %% [markdown] lang="pl"
# Od lewej do prawej, krok po kroku: gracz jest niebieski, dobre przedmioty zielone, złe czerwone (w breakout piłka jest zielona, a cegły czerwone); szare ślady pokazują, gdzie coś było krok wcześniej. W pierwszych trzech grach grają gotowi eksperci z lekcji 10; w grze zigzag gracz stoi w miejscu.
#
# ## Matematyka
#
# **Regresja polityki** (ang. *policy regression*). Wartości zamienia na prawdopodobieństwa softmax z temperaturą $\tau$. Niech $\pi_i$ oznacza politykę eksperta $i$, $z_a(s)$ wyjścia ucznia dla jego gry, po jednym na akcję, a $p = \operatorname{softmax}(z)$ politykę ucznia. Strata w danym stanie to **entropia krzyżowa** (ang. *cross-entropy*):
#
# $$\pi_i(a \mid s) = \frac{e^{Q_i(s, a) / \tau}}{\sum_b e^{Q_i(s, b) / \tau}}, \qquad L_{\text{polityka}} = -\sum_a \pi_i(a \mid s) \log p(a \mid s) .$$
#
# Najważniejszy jest jej gradient. Ponieważ $\log p_a = z_a - \log \sum_b e^{z_b}$, a prawdopodobieństwa $\pi_a$ sumują się do 1,
#
# $$L_{\text{polityka}} = \log \sum_b e^{z_b} - \sum_a \pi_a z_a, \qquad \frac{\partial L_{\text{polityka}}}{\partial z_a} = p_a - \pi_a .$$
#
# Uczeń dowiaduje się, o ile różnią się prawdopodobieństwa, i niczego więcej. Wynikają z tego dwie rzeczy. Stała dodana do wszystkich wartości w danym stanie niczego nie zmienia: uczeń poznaje, **co robić, a nie jak dobra jest sytuacja**. I żadna składowa nigdy nie przekracza 1, choćby nagrody w grze były ogromne: jedną sieć może uczyć trzech ekspertów o różnych skalach nagród i żaden nie może bez ograniczeń zagłuszać pozostałych. Gdy $H(\pi) = -\sum_a \pi_a \log \pi_a$ oznacza entropię, to $L_{\text{polityka}} = H(\pi_i) + \mathrm{KL}(\pi_i \,\|\, p)$: pierwszy składnik nie zależy od ucznia, więc jest to dywergencja Kullbacka–Leiblera z lekcji 10.
#
# *Ręcznie*: dwie akcje, wartości 2 i 0. Przy $\tau = 1$ ekspert ma prawdopodobieństwa $e^2 / (e^2 + 1) = 0{,}88$ i 0,12; uczeń, który jeszcze nic nie wie, ma ½ i ½; gradient wynosi $(-0{,}38, 0{,}38)$. Jeśli wartości to 0,1 i 0, ekspert ma 0,525 i 0,475, a gradient maleje do $(-0{,}025, 0{,}025)$. Gdzie od akcji prawie nic nie zależy, tam ekspert prawie nie nalega; przy tym samym $\tau$ nie nalega też ekspert, w którego grze wszystkie nagrody są małe. Przy $\tau = 0{,}01$ by nalegał: $(-0{,}5, 0{,}5)$ w obu przypadkach.
#
# **Regresja cech** (ang. *feature regression*). Niech $h(s)$ oznacza **cechy** ucznia, czyli wyjścia ostatniej warstwy przed głowicami, a $h_i(s)$ cechy eksperta $i$. Dla każdego eksperta osobne odwzorowanie liniowe, $W_i$ z wyrazem wolnym $b_i$, ma przewidzieć jego cechy z cech ucznia; trenujemy je razem z siecią, a na końcu wyrzucamy:
#
# $$L_{\text{cechy}} = \big\| W_i\, h(s) + b_i - h_i(s) \big\|^2, \qquad L = L_{\text{polityka}} + \beta\, L_{\text{cechy}} .$$
#
# Liczba $\beta$ (w artykule 0,01) to waga tej straty. Dlaczego miałaby ona pomagać? Wartości eksperta zależą liniowo od jego cech, $Q_i = V_i h_i + c_i$; to właśnie jego głowica. Tam, gdzie odwzorowanie jest dokładne, $Q_i = V_i W_i h + V_i b_i + c_i$: **wszystko, co wie ekspert, warstwa liniowa może odczytać z cech ucznia**, nawet to, co regresja polityki pomija, czyli jak dobra jest sytuacja. Do cech ucznia dociera gradient $2\, W_i^\top (W_i h + b_i - h_i)$. Dla danych cech najlepsze odwzorowanie daje metoda najmniejszych kwadratów: gdy $\bar h$, $\bar h_i$ to średnie po stanach, a $C_{xy}$ to macierz kowariancji $x$ i $y$,
#
# $$W_i = C_{h_i h}\, C_{h h}^{-1}, \qquad b_i = \bar h_i - W_i \bar h, \qquad R^2 = 1 - \frac{\sum_s \| W_i h(s) + b_i - h_i(s) \|^2}{\sum_s \| h_i(s) - \bar h_i \|^2} .$$
#
# $R^2$, czyli ta część zmienności cech eksperta, którą da się odczytać, pozwoli nam zajrzeć do środka sieci.
#
# **Transfer.** Przed nową grą wyrzucamy głowice. **Pień** (ang. *trunk*), czyli wszystkie warstwy aż do cech, zostaje, dostaje jedną nową głowicę o losowych wagach i całość trenuje DQN. Niech $R(u)$ oznacza zwrot po $u$ aktualizacjach DQN; całą krzywą o $U$ aktualizacjach mierzymy jej średnią wysokością, czyli polem pod nią podzielonym przez jej długość:
#
# $$A = \frac{1}{U} \int_0^U R(u)\, \mathrm{d}u .$$
#
# **Przewaga na starcie** to różnica dwóch takich $A$: metody i startu losowego. (Przy $u = 0$ nikt jeszcze nie umie grać, bo każda głowica jest nowa: liczy się to, jak szybko zwrot potem rośnie.) Jedna para krzywych nic nie mówi o niepewności. Weź $n$ ziaren losowości, dla każdego uruchom *obie* metody, i oblicz $n$ różnic $d_1, \dots, d_n$, ich średnią $\bar d$ i odchylenie standardowe $s_d$; przedział ufności 95 % to $\bar d \pm t_{n-1}\, s_d / \sqrt n$, gdzie $t_{n-1}$ to kwantyl 97,5 % rozkładu Studenta (2,78 dla pięciu ziaren, 2,26 dla dziesięciu).
#
# ### Kto powinien grać?
#
# Powiedzmy, że epizod trwa $T$ kroków, a uczeń w stanach takich jak te, na których go trenowano, wybiera złą akcję z prawdopodobieństwem $\varepsilon$.
#
# *Grają eksperci*, a uczeń trenuje na stanach, które odwiedzają oni. Tam myli się z prawdopodobieństwem $\varepsilon$. Po pierwszym błędzie może jednak znaleźć się tam, gdzie nigdy nie było żadnego eksperta i gdzie nikt niczego nie obiecywał, a w najgorszym razie będzie się odtąd mylić w każdym kroku. Krok $t$ jest wtedy zły, chyba że wszystkie kroki aż do niego były dobre, więc oczekiwana liczba złych kroków dochodzi do
#
# $$\sum_{t=1}^{T} \Big( 1 - (1 - \varepsilon)^t \Big) = T - \frac{1 - \varepsilon}{\varepsilon} \Big( 1 - (1 - \varepsilon)^T \Big) \approx \frac{\varepsilon\, T^2}{2} ,$$
#
# przy czym przybliżenie dotyczy małych $\varepsilon T$. *Gra uczeń* i trenuje na stanach, które odwiedza *sam*: myli się z prawdopodobieństwem $\varepsilon$ w każdym z $T$ kroków, a więc w $\varepsilon T$ z nich. Jeśli błąd obniża zwrot najwyżej o $\kappa$, bo uczeń zna drogę powrotną, straci on najwyżej $\kappa\, \varepsilon\, T$.
#
# $T^2$ albo $T$: na tym polega różnica (Ross i in. 2011, [arXiv 1011.0686](https://arxiv.org/abs/1011.0686); ich metoda, **DAgger**, zbiera stany wtedy, gdy gra uczeń, a ekspert opatruje je wszystkie etykietami). Kłopot nazywa się **przesunięciem współzmiennych** (ang. *covariate shift*): stany na egzaminie mają inny rozkład niż stany w treningu, a tutaj przesuwają go akcje samego ucznia.

# %%
T, wrong = 100, np.linspace(0.0005, 0.05, 100)
fig, ax = plt.subplots(figsize=(7, 2.8))
ax.plot(100 * wrong, T - (1 - wrong) / wrong * (1 - (1 - wrong) ** T), color=palette("orange"), label=t("the experts play, at worst", "grają eksperci, w najgorszym razie"))
ax.plot(100 * wrong, wrong * T, color=palette("blue"), label=t("the student plays", "gra uczeń"))
ax.set(xlabel=t("probability of an error where the student was trained, %", "prawdopodobieństwo błędu tam, gdzie trenowano ucznia, %"), ylabel=t("wrong steps of 100", "złe kroki na 100"), ylim=(0, 100))
ax.legend(loc="upper left")
show(fig, alt=t("Expected wrong steps of a hundred against the probability of an error: one curve rises steeply towards a hundred, the other one slowly along a straight line.", "Oczekiwana liczba złych kroków na sto względem prawdopodobieństwa błędu: jedna krzywa rośnie stromo ku stu, druga powoli, po prostej."))

# %% [markdown] lang="en"
# ## The code
#
# Each of the two losses is a check of the shapes and one line; `softened` is the expert's softmax. `train_actor_mimic` plays and learns in turns: the student plays a step of all games, the states go into a store, and batches are drawn from there. The new start is a copy of the trunk with one new head.
# %% [markdown] lang="pl"
# ## Kod
#
# Każda z obu strat to sprawdzenie kształtów i jeden wiersz; `softened` to softmax eksperta. `train_actor_mimic` na przemian gra i uczy się: uczeń wykonuje krok we wszystkich grach, stany trafiają do magazynu, a stamtąd losujemy paczki (ang. *batches*). Nowy start to kopia pnia z jedną nową głowicą.

# %%
show_source(softened, policy_regression, feature_regression)
show_source(train_actor_mimic, transfer_network)

# %% [markdown] lang="en"
# ## The experiment: who should play?
#
# First one expert only, that of breakout, and students who may ask it 2,000 times, in ten parts of 200: "what would you do here?" After each part they learn from all answers so far. For half of them **the expert plays** all the time. For the others it plays in the first part only, and from then on **the student plays**, as well as it has learned so far; that is DAgger. Everything else is the same. We measure an error by what it costs in the expert's own judgement: the value of its action minus that of the student's. (Where two actions are equally good, an error costs nothing.)
# %% [markdown] lang="pl"
# ## Eksperyment: kto powinien grać?
#
# Najpierw tylko jeden ekspert, od breakout, i uczniowie, którzy mogą go zapytać 2000 razy, w dziesięciu turach po 200: „co byś tu zrobił?”. Po każdej turze uczą się ze wszystkich dotychczasowych odpowiedzi. U połowy z nich cały czas **gra ekspert**. U pozostałych gra tylko w pierwszej turze, a odtąd **gra uczeń**, tak jak się dotąd nauczył; to właśnie DAgger. Wszystko inne jest takie samo. Błąd mierzymy tym, ile zdaniem samego eksperta kosztuje: od wartości jego akcji odejmujemy wartość akcji ucznia. (Gdzie dwie akcje są równie dobre, pomyłka nic nie kosztuje.)

# %% tags=["predict"]
guess = Prediction(
    t("In an exam on states that the expert visits, and in the game itself: how do the students for whom the expert played compare with the others?", "Na egzaminie ze stanów, które odwiedza ekspert, i w samej grze: jak na tle pozostałych wypadną uczniowie, u których grał ekspert?"),
    [t("better in the exam, clearly better in the game", "lepiej na egzaminie, wyraźnie lepiej w grze"), t("better in the exam, but not clearly in the game", "lepiej na egzaminie, ale w grze bez wyraźnej przewagi"), t("worse in both", "gorzej tu i tu")],
)
guess

# %%
expert = experts[OLD.index("breakout")]


class Supervised:
    # en: Somebody plays, the expert is asked.
    # pl: Ktoś gra, a pytamy eksperta.
    def __init__(self, player):
        self.act = player.act

    def __call__(self, states):
        return expert(states)


def new_network(heads=1, seed=SEED):
    seed_everything(seed)
    return QNetwork(mlp_trunk(GAMES[NEW](1).single_observation_space), 4, heads)


def apprentice(student_plays, seed):
    student, answers = new_network(seed=seed), []
    for part in range(10):
        player = student if student_plays and part else expert
        answers.append(demonstrate(Supervised(player), GAMES["breakout"](2), steps=100, exploration=0, seed=10 * seed + part))
        imitate(student, answers, loss=policy_regression, updates=80, seed=part, progress=False)
    return student


# %%
def mean_return(act, game):
    return evaluate_policy(act, GAMES[game](64), 64, seed=10_000 + SEED).mean().item()


def met(act, game):
    env, states = GAMES[game](64), []
    seen, _ = env.reset(seed=20_000 + SEED)
    for _ in range(100):
        states.append(seen)
        seen = env.step(act(seen))[0]
    return torch.from_numpy(np.concatenate(states))


@torch.no_grad()
def given_up(network, states):
    values, chosen = expert(states), network(states).argmax(1, keepdim=True)
    return values.max(1).values - values.gather(1, chosen)[:, 0]


# %%
kinds = {t("the expert plays", "gra ekspert"): False, t("the student plays", "gra uczeń"): True}
apprentices = {name: [apprentice(student_plays, 3 * SEED + i) for i in range(3)] for name, student_plays in kinds.items()}
theirs = met(expert.act, "breakout")
exam = {name: [given_up(network, theirs).mean().item() for network in group] for name, group in apprentices.items()}
own = {name: [given_up(network, met(network.act, "breakout")).mean().item() for network in group] for name, group in apprentices.items()}
won = {name: [mean_return(network.act, "breakout") for network in group] for name, group in apprentices.items()}
table([(name, np.mean(exam[name]), np.mean(own[name]), f"{np.mean(won[name]):.1f}") for name in kinds],
      [t("mean of three students", "średnia z trzech uczniów"), t("lost per step, the expert's states", "strata na krok, stany eksperta"), t("lost per step, own states", "strata na krok, własne stany"), t("return")])
(first, second), (lost, less) = won.values(), exam.values()
# en: Clearly better: the worst of the three is ahead of the best of the others.
# pl: Wyraźnie lepiej: najgorszy z trzech wyprzedza najlepszego z pozostałych.
guess.compare(0 if min(first) > max(second) else 1 if sum(lost) < sum(less) else 2)
fig, axes = plt.subplots(1, 2, figsize=(9, 3.2), sharey=True)
for ax, losses, title in zip(axes, (exam, own), (t("in the exam, the expert's states", "na egzaminie, stany eksperta"), t("in its own game", "we własnej grze"))):
    for name, colour in zip(kinds, ("orange", "blue")):
        ax.plot(losses[name], won[name], "o", color=palette(colour), markersize=9, label=name)
    ax.set(title=title, xlabel=t("value lost per step", "strata wartości na krok"), xlim=(0, None))
axes[0].set_ylabel(t("return in breakout", "zwrot w grze breakout"))
axes[0].legend()
show(fig, alt=t("Return of six students against the value that they lose: where the expert played, they lose little in the exam, but more in their own games; what is lost there decides about the return.",
                "Zwrot sześciu uczniów względem wartości, którą tracą: ci, u których grał ekspert, tracą mało na egzaminie, ale więcej we własnej grze; o zwrocie decyduje to, co tracą tam."))

# %% [markdown] lang="en"
# Each dot is a student. Those for whom the expert played are the better imitators *in the exam*. But they have to play in states of their own, and there the same students lose several times as much: nothing of their lead is left in the game. For the others, exam and game differ far less. On the right all six lie roughly along one line: what counts is what is lost in the states that one gets into. See where one of the first kind goes wrong: costly states of its own play, and what expert and student would do there. Often the ball comes down somewhere else, and the expert would long have been on its way.
# %% [markdown] lang="pl"
# Każda kropka to uczeń. Ci, u których grał ekspert, *na egzaminie* naśladują lepiej. Grać muszą jednak we własnych stanach, a tam ci sami uczniowie tracą kilka razy więcej: w grze nic nie zostaje z ich przewagi. U pozostałych egzamin i gra różnią się o wiele mniej. Po prawej cała szóstka leży mniej więcej wzdłuż jednej linii: liczy się to, co tracisz w stanach, w które sam trafiasz. Zobacz, gdzie jeden z tych pierwszych się myli: kosztowne stany z jego własnej gry oraz to, co zrobiliby w nich ekspert i uczeń. Często piłka spada gdzie indziej, a ekspert byłby już dawno w drodze.

# %%
shadow = apprentices[next(iter(kinds))][0]
visited = met(shadow.act, "breakout")
worst = visited[given_up(shadow, visited).argsort(descending=True)[:200:40]]
deeds = [t("stay", "stój"), t("left", "w lewo"), t("right", "w prawo"), t("fire", "strzał")]
said = [t("expert: {}\nstudent: {}", "ekspert: {}\nuczeń: {}").format(*(deeds[network.act(state.numpy()[None])[0]] for network in (expert, shadow))) for state in worst]
fig = image_grid(np.stack([np.asarray(picture(state.numpy())) for state in worst]).transpose(0, 3, 1, 2), labels=said, size=1.6)
show(fig, alt=t("Five pictures of breakout; above each what the expert and what the student would do, and they disagree.", "Pięć obrazów gry breakout; nad każdym, co zrobiłby ekspert, a co uczeń, i są różnego zdania."))

# %% [markdown] lang="en"
# The more answers, the smaller the difference: once the expert has shown nearly all that can happen, because it was asked so often or because it was made to err now and then, its states will do. In the recorded runs of all three games there are many times as many answers, and students from the experts' states play as well. Who plays matters where answers are expensive, as a human's are, or where errors lead far away.
#
# ## The experiment: three experts, one student
#
# Actor-Mimic does not ask in parts but all the time: the student plays, now and then at random, and learns from the states that it has met lately. It has a head for each of the three games. We train two students: one by policy regression alone ($\beta = 0$), the other with feature regression as well.
# %% [markdown] lang="pl"
# Im więcej odpowiedzi, tym mniejsza różnica: gdy ekspert pokazał już prawie wszystko, co może się zdarzyć, bo pytano go bardzo wiele razy albo kazano mu się czasem pomylić, jego stany wystarczą. W zapisanych przebiegach wszystkich trzech gier odpowiedzi jest wielokrotnie więcej i uczniowie ze stanów ekspertów grają równie dobrze. To, kto gra, ma znaczenie tam, gdzie odpowiedzi są drogie, bo udziela ich człowiek, albo gdzie błędy prowadzą daleko.
#
# ## Eksperyment: trzech ekspertów, jeden uczeń
#
# Actor-Mimic nie pyta turami, tylko cały czas: uczeń gra, co pewien czas losowo, i uczy się na stanach, które ostatnio spotkał. Do każdej z trzech gier ma osobną głowicę. Trenujemy dwóch uczniów: jednego samą regresją polityki ($\beta = 0$), drugiego także regresją cech.

# %%
record = recorded("actor_mimic")
students = {t("policy", "polityka"): new_network(heads=3), t("policy and features", "polityka i cechy"): new_network(heads=3)}
for network, beta in zip(students.values(), (0, record.results["settings"]["beta"])):
    train_actor_mimic(experts, network, [GAMES[game](64) for game in OLD], beta=beta, seed=SEED, progress=False, **record.results["settings"]["student"] | {"updates": 2_000})

# %%
@torch.no_grad()
def readable_share(student, expert):
    inputs, fit, test = torch.cat([student, torch.ones(len(student), 1)], 1), slice(0, None, 2), slice(1, None, 2)
    best = torch.linalg.lstsq(inputs[fit], expert[fit], driver="gelsd").solution
    left, whole = (expert - inputs @ best)[test], expert[test] - expert[test].mean(0)
    return (1 - left.square().sum() / whole.square().sum()).item()


rng, untrained = np.random.default_rng(SEED), {t("untrained", "bez treningu"): new_network(heads=3)}
scores = {game: [mean_return(lambda seen: rng.integers(0, 4, len(seen)), game), mean_return(expert.act, game)] for game, expert in zip(OLD, experts)}
shares = {name: [] for name in untrained | students}
for head, (game, expert) in enumerate(zip(OLD, experts)):
    seen = met(expert.act, game)
    for name, network in (untrained | students).items():
        shares[name].append(readable_share(network.features(seen), expert.features(seen)))
    scores[game] += [mean_return(partial(network.act, head=head), game) for network in students.values()]
table([(game, *(f"{value:.1f}" for value in row)) for game, row in scores.items()], [t("return"), t("at random", "losowo"), t("its expert", "jej ekspert"), *students])
table([(name, *row) for name, row in shares.items()], [t("R² of the expert's features", "R² cech eksperta"), *OLD])

# %% [markdown] lang="en"
# One network now plays three games about as well as three experts, each of which has a trunk of the same size. The second table looks inside: a linear map is fitted on one half of the states that an expert visits, and tested on the other half. Even an untrained network lets something be read off; that row is the yardstick. Policy regression alone leaves much of the experts' features out, for it has no use for how good a state is; feature regression brings in clearly more of them in each game, though not all. So far the second half of the theory keeps its promise. Whether that is of any use in a new game is another question.
#
# ## The experiment: a new game
#
# Now zigzag, from several starts: random weights, Actor-Mimic (with both losses), or one expert alone. Always a new head, always the same DQN. Four of them run here; the recorded runs have more, and for each seed its own experts.
# %% [markdown] lang="pl"
# Jedna sieć gra teraz w trzy gry mniej więcej tak dobrze jak trzej eksperci, z których każdy ma pień tej samej wielkości. Druga tabela zagląda do środka: odwzorowanie liniowe dopasowujemy na połowie stanów, które odwiedza ekspert, a sprawdzamy na drugiej połowie. Nawet z sieci bez treningu da się coś odczytać; ten wiersz służy za punkt odniesienia. Sama regresja polityki pomija dużą część cech ekspertów, bo nie obchodzi jej, jak dobra jest sytuacja; z regresją cech da się ich odczytać w każdej grze wyraźnie więcej, choć nie wszystko. Druga część teorii dotrzymuje więc na razie słowa. Czy na coś się to przyda w nowej grze, to inne pytanie.
#
# ## Eksperyment: nowa gra
#
# Teraz zigzag, z różnych startów: losowe wagi, Actor-Mimic (z obiema stratami) albo jeden ekspert. Zawsze nowa głowica, zawsze to samo DQN. Cztery starty biegną tutaj; w zapisanych przebiegach jest ich więcej, a każde ziarno ma własnych ekspertów.

# %% tags=["predict"]
guess = Prediction(
    t("Which single expert prepares best for zigzag?", "Który pojedynczy ekspert najlepiej przygotowuje do gry zigzag?"),
    list(OLD),
)
guess

# %%
updates, settings = record.results["updates"], record.results["settings"]["learning"]


def learn(start, game=GAMES[NEW]):
    network, moments = transfer_network(start, 4, seed=SEED), []

    def measure(network):
        moments.append(copy.deepcopy(network))
        return evaluate_policy(network.act, game(32), 32, seed=10_000 + SEED).mean()

    return train_dqn(game(64), network, evaluate=measure, evaluate_every=updates[1], seed=SEED, progress=False, **settings), moments


def mean_height(curves):
    return (torch.trapezoid(torch.from_numpy(np.array(curves)), torch.tensor(updates, dtype=torch.float64)) / updates[-1]).numpy()


starts = {"random": new_network(), "features": list(students.values())[1]} | dict(zip(OLD[:2], experts))
learned = {name: learn(start) for name, start in starts.items()}
height = {name: mean_height(curve.returns) for name, (curve, _) in learned.items()}
guess.compare(int(np.argmax([np.mean(record.results["curves"][game]) for game in OLD])))

# %%
names = {"random": t("random start", "start losowy"), "features": "Actor-Mimic", "policy": t("policy only", "tylko polityka"),
         **{game: t(f"{game} alone", f"samo {game}") for game in OLD}, "shuffled": t("shuffled weights", "wagi potasowane"), "frozen": t("frozen trunk", "pień zamrożony")}
colours = dict(zip(names, ("grey", "red", "purple", "blue", "orange", "green", "black", "sky")))
runs = {name: np.array(record.results["curves"][name]) for name in names}
fig, axes = plt.subplots(1, 3, figsize=(11, 3.8), sharey=True)
for name, (curve, _) in learned.items():
    axes[0].plot(curve.updates, curve.returns, color=palette(colours[name]), label=names[name])
for ax, group in zip(axes[1:], (("random", "features", *OLD), ("random", "features", "policy", "shuffled", "frozen"))):
    for name in group:
        band(ax, updates, runs[name], names[name], colours[name])
for ax, title in zip(axes, (t("this run", "to uruchomienie"), t("recorded: single experts", "zapisane: pojedynczy eksperci"), t("recorded: controls", "zapisane: kontrole"))):
    ax.set(title=title, xlabel=t("updates of DQN", "aktualizacje DQN"))
    ax.legend(fontsize=8, loc="upper left")
axes[0].set_ylabel(t("return in zigzag", "zwrot w grze zigzag"))
show(fig, alt=t("Learning curves in zigzag: Actor-Mimic and the catch expert rise first, the other starts later.", "Krzywe uczenia w grze zigzag: najpierw rosną Actor-Mimic i ekspert catch, pozostałe starty później."))
record.note()

# %%
def match(network):
    env, path, fallen = GAMES[NEW](1), [], []
    seen, _ = env.reset(seed=30_000 + SEED)
    for step in range(1, 100):
        low = env.y == 8
        fallen += zip(repeat(step), (env.x + env.drift)[low], (env.x - env.drift)[low], env.good[low])
        seen, *_ = env.step(network.act(seen))
        path.append(env.player[0])
        if step == 60:
            scene = picture(seen[0])
    return [None, *path], [(step, x if 0 <= x < 10 else bounced, good) for step, x, bounced, good in fallen], scene


gains = {name: mean_height(curves) - mean_height(runs["random"]) for name, curves in runs.items() if name != "random"}
lowest = {name: np.subtract(*mean_interval(gain)) for name, gain in gains.items()}
table([(names[name], f"{height[name]:.2f}" if name in height else None, mean_pm(mean_height(curves), 2), mean_pm(gains[name], 2) if name in gains else None, mean_pm(curves[:, -1], 1)) for name, curves in runs.items()],
      [t("start", "start"), t("mean height, this run", "średnia wysokość, teraz"), t("recorded", "zapisana"), t("head start", "przewaga"), t("return at the end", "zwrot na końcu")])

# %% [markdown] lang="en"
# **One expert is a close relative.** Catch alone lifts the curve nearly as much as all three experts together, invaders alone a little, breakout alone not at all. (Its curve lies rather below that of the random start; but see the interval before you call that harm.) Nobody had told Actor-Mimic which of its experts would be of use, and it starts no worse than from the best one. So much can safely be said of this one new game: *one network for all did no worse than the right choice, and saved us from the wrong one*.
#
# **What was carried over?** Perhaps large weights learn faster, whatever they mean. But if the weights of each layer are **shuffled**, so that their sizes stay and their sense is lost, the head start is gone: it was knowledge. With the **trunk frozen**, so that only the new head learns, DQN is ahead at first and soon gets stuck: 64 features made for other games are a good place to start from, but a linear head can only mix what is in them. And **policy regression only** does as well as both losses: what feature regression has put in was not needed here.
#
# **What the paper reported** (Parisotto et al. 2015). In Atari games, one network learned eight games from eight experts; another one, of thirteen games, was then the start for DQN on seven new ones. The head start was largest in three of them, Breakout, Star Gunner and Video Pinball. There, convolutional networks see the screen, one output layer serves all games, with actions that a game does not have masked out, and training takes millions of frames. We have four tiny relatives, fully connected layers, a head for each game, and minutes. That the head start depends on the game holds for both.
#
# **Explore** this run: choose a start and move the updates. In the middle is the screen after 60 steps of a game that always begins in the same way; on the right are its first 100 steps: the line is the player, circles are good things where they came down, crosses are bad ones; full if the player was there, hollow if not. What do the first thousand updates teach the player from each start?
# %% [markdown] lang="pl"
# **Jeden ekspert jest bliskim krewnym.** Samo catch podnosi krzywą prawie tak samo jak wszyscy trzej eksperci razem, samo invaders trochę, a samo breakout wcale. (Jego krzywa leży raczej poniżej startu losowego; zanim jednak nazwiesz to szkodą, spójrz na przedział.) Nikt nie powiedział sieci Actor-Mimic, który z jej ekspertów się przyda, a mimo to startuje nie gorzej niż od najlepszego z nich. Tyle można bez ryzyka powiedzieć o tej jednej nowej grze: *jedna sieć od wszystkiego nie wypadła gorzej niż trafny wybór, a ochroniła przed nietrafnym*.
#
# **Co zostało przeniesione?** Może duże wagi uczą się szybciej, cokolwiek znaczą. Gdy jednak wagi każdej warstwy **potasujemy**, tak że ich wielkości zostają, a sens ginie, znika też przewaga: była to więc wiedza. Gdy **pień jest zamrożony** i uczy się tylko nowa głowica, DQN najpierw prowadzi, a wkrótce grzęźnie: 64 cechy powstałe w innych grach to dobry początek, ale liniowa głowica może tylko mieszać to, co w nich jest. A **sama regresja polityki** wystarcza tak samo jak obie straty: to, co wniosła regresja cech, nie było tu potrzebne.
#
# **Co wyszło w artykule** (Parisotto i in. 2015). W grach na Atari jedna sieć nauczyła się ośmiu gier od ośmiu ekspertów; inna, od trzynastu gier, była potem startem dla DQN w siedmiu nowych. Przewaga na starcie była największa w trzech z nich: Breakout, Star Gunner i Video Pinball. Ekran oglądają tam sieci splotowe, jedna warstwa wyjściowa obsługuje wszystkie gry (akcje, których w danej grze nie ma, są maskowane), a trening trwa miliony klatek. My mamy cztery małe, spokrewnione gry, warstwy gęste, osobną głowicę dla każdej gry i minuty. Że przewaga zależy od gry, widać i tu, i tam.
#
# **Zbadaj** to uruchomienie: wybierz start i przesuwaj suwak aktualizacji. Pośrodku widać ekran po 60 krokach gry, która zawsze zaczyna się tak samo, a po prawej jej pierwszych 100 kroków: linia to gracz, kółka to dobre przedmioty w miejscu, gdzie spadły, krzyżyki to złe; pełne, jeśli gracz tam stał, puste, jeśli nie. Czego uczy gracza pierwszy tysiąc aktualizacji przy każdym ze startów?

# %% tags=["widget"]
def draw(start, update):
    name, point = next(name for name in learned if names[name] == start), updates.index(update)
    path, fallen, scene = matches[name][point]
    fig, (left, middle, right) = plt.subplots(1, 3, figsize=(11, 3.2), width_ratios=(1, 0.7, 1.7))
    for other, (curve, _) in learned.items():
        left.plot(curve.updates, curve.returns, color=palette(colours[other]), linewidth=3 if other == name else 0.8)
    height_now = learned[name][0].returns[point]
    left.plot(update, height_now, "o", color=palette("black"))
    left.set(title=t("return: {:.1f}", "zwrot: {:.1f}").format(height_now), xlabel=t("updates of DQN", "aktualizacje DQN"))
    middle.imshow(scene)
    middle.set_axis_off()
    right.plot(path, color=palette("blue"), linewidth=1)
    for good, marker, colour in ((True, "o", "green"), (False, "X", "red")):
        for caught, fill in ((True, "full"), (False, "none")):
            points = [(step, x) for step, x, kind in fallen if kind == good and (path[step] == x) == caught]
            right.plot(*np.array(points).reshape(-1, 2).T, marker, color=palette(colour), fillstyle=fill)
    hits = [1 if good else -1 for step, x, good in fallen if path[step] == x]
    right.set(title=t("in this game: {} good, {} bad", "w tej grze: dobre {}, złe {}").format(hits.count(1), hits.count(-1)), xlabel=t("step"), ylabel=t("column", "kolumna"), ylim=(-0.7, 9.7))
    return fig, t(f"{start}, after {update} updates: good things caught: {hits.count(1)}, bad ones: {hits.count(-1)}.", f"{start}, po {update} aktualizacjach: złapane dobre przedmioty: {hits.count(1)}, złe: {hits.count(-1)}.")


matches = {name: [match(network) for network in moments] for name, (_, moments) in learned.items()}
explorer = explore(draw, start=[names[name] for name in learned], update=updates, labels={"start": t("start", "start"), "update": t("updates of DQN", "aktualizacje DQN")})
explorer.controls["start"].value = "Actor-Mimic"
explorer

# %% [markdown] lang="en"
# ## When it fails
#
# All that was carried over is tied to places on the screen: *below a good thing is a good place*. Let zigzag be shown **upside down**, as by a camera that somebody has mounted the wrong way round. The game is the same, and just as hard for a random start: a fully connected layer with random weights does not know which of its 400 inputs are neighbours, so any order of them is as good as any other. The random start's curve may therefore stand for both. And Actor-Mimic?
# %% [markdown] lang="pl"
# ## Kiedy to zawodzi
#
# Wszystko, co zostało przeniesione, jest przywiązane do miejsc na ekranie: *pod dobrym przedmiotem jest dobre miejsce*. Niech teraz zigzag będzie pokazywany **do góry nogami**, jak przez kamerę, którą ktoś zamontował odwrotnie. Gra jest ta sama i dla startu losowego tak samo trudna: warstwa gęsta o losowych wagach nie wie, które z jej 400 wejść ze sobą sąsiadują, więc każda ich kolejność jest równie dobra. Krzywa startu losowego może więc służyć obu wersjom. A Actor-Mimic?

# %% tags=["predict"]
guess = Prediction(
    t("What is the start from Actor-Mimic worth in the game upside down?", "Ile wart jest start z Actor-Mimic w grze do góry nogami?"),
    [t("a smaller head start", "mniejszą przewagę"), t("as much as a random start", "tyle co start losowy"), t("less than a random start", "mniej niż start losowy")],
)
guess

# %%
class UpsideDown(GAMES[NEW]):
    def _observe(self):
        return super()._observe()[:, :, ::-1].copy()


turned, _ = learn(starts["features"], UpsideDown)
height["turned"] = mean_height(turned.returns)
fig, ax = plt.subplots(figsize=(7, 3.2))
for (curve, title), colour in zip([(learned["features"][0], "Actor-Mimic"), (learned["random"][0], names["random"]), (turned, t("Actor-Mimic, upside down", "Actor-Mimic, do góry nogami"))], ("red", "grey", "black")):
    ax.plot(curve.updates, curve.returns, color=palette(colour), label=title)
ax.set(xlabel=t("updates of DQN", "aktualizacje DQN"), ylabel=t("return in zigzag", "zwrot w grze zigzag"))
ax.legend(loc="upper left")
show(fig, alt=t("Learning curves in zigzag: from Actor-Mimic in the upright game above, from random weights between, from Actor-Mimic in the game upside down below.",
                "Krzywe uczenia w grze zigzag: Actor-Mimic w zwykłej grze na górze, start losowy pośrodku, Actor-Mimic w grze do góry nogami na dole."))
guess.compare(2 if height["turned"] < height["random"] - 0.2 else 1 if height["turned"] < height["random"] + 0.2 else 0)

# %% [markdown] lang="en"
# This is **negative transfer**: worse than if nothing had been learned before. The old features are not merely useless; they mislead, and DQN has to unlearn them first; in the row where it looks for the player, things now appear that have yet to fall.
#
# What is to be done? Measure before you trust: two curves over a few seeds, with the interval of their difference, tell whether a start helps. A convolutional network, to which it matters less where something is, may carry over more as long as places only shift; upside down is another matter. And the best help is a *related* source, or many sources, among which one is related.
#
# **The other limit is the experts.** A student that only imitates rarely becomes much better than those whom it imitates, and where they are wrong, so is it. Only with DQN, in the new game, does it learn from rewards.
#
# ## In robotics
#
# Zhuang et al. 2023 (*Robot Parkour Learning*, [arXiv 2309.05665](https://arxiv.org/abs/2309.05665)) taught a low-cost walking robot to climb, leap, crawl, tilt and run, each by an expert of its own, trained in simulation with knowledge that no camera has. Then a single network, which sees only through the robot's depth camera, learned from all five, by DAgger: the student moves, and the expert for the obstacle at hand says what it would do there. One network, five skills, the student's own states: so far this is Actor-Mimic. And where the expert is a human: Ross et al. 2013 ([arXiv 1211.1690](https://arxiv.org/abs/1211.1690)) let a small drone fly between trees by itself, while a pilot kept saying how he would steer in what it saw; it learned what to do just before a tree, where a good pilot never gets.
#
# The upside-down game has its counterpart, too: a camera mounted elsewhere, an arm with other lengths, a gripper in the place of a hand. What a network has learned about *places* then turns against it, and the first thing to check is whether starting anew would be faster.
#
# ## Exercises
#
# **1. Policy regression.** `student_logits` and `expert_q` have shape (B, A): B states, A actions. Return the cross-entropy $-\sum_a \pi(a) \log p(a)$, averaged over the states, with $\pi = \operatorname{softmax}(Q / \tau)$ for the expert, `tau` for $\tau$, and $p$ the softmax of the student's outputs. A gradient must reach the student.
# %% [markdown] lang="pl"
# To jest **transfer negatywny** (ang. *negative transfer*): gorzej, niż gdyby sieć przedtem nie nauczyła się niczego. Dawne cechy nie są po prostu nieprzydatne, lecz mylące i DQN musi się ich najpierw oduczyć; w rzędzie, w którym spodziewa się gracza, pojawiają się teraz przedmioty, które dopiero mają spaść.
#
# Co robić? Zmierz, zanim zaufasz: dwie krzywe na kilku ziarnach, z przedziałem ich różnicy, powiedzą, czy start pomaga. Sieć splotowa, dla której mniej ważne jest, gdzie coś się znajduje, może przenieść więcej, dopóki miejsca się tylko przesuwają; do góry nogami to co innego. A najlepiej pomaga *spokrewnione* źródło albo wiele źródeł, wśród których jedno jest spokrewnione.
#
# **Drugą granicą są eksperci.** Uczeń, który tylko naśladuje, rzadko staje się dużo lepszy od tych, których naśladuje, a gdzie oni się mylą, tam myli się i on. Z nagród uczy się dopiero z DQN, w nowej grze.
#
# ## W robotyce
#
# Zhuang i in. 2023 (*Robot Parkour Learning*, [arXiv 2309.05665](https://arxiv.org/abs/2309.05665)) nauczyli niedrogiego robota kroczącego wspinać się, skakać, czołgać, przechylać się i biegać; każdej z tych rzeczy uczył osobny ekspert, trenowany w symulacji z wiedzą, jakiej nie daje żadna kamera. Potem jedna sieć, która widzi tylko przez kamerę głębi robota, uczyła się od wszystkich pięciu metodą DAgger: rusza się uczeń, a ekspert od danej przeszkody mówi, co by tam zrobił. Jedna sieć, pięć umiejętności, własne stany ucznia: aż dotąd jest to Actor-Mimic. A gdy ekspertem jest człowiek: Ross i in. 2013 ([arXiv 1211.1690](https://arxiv.org/abs/1211.1690)) pozwolili małemu dronowi samemu latać między drzewami, a pilot cały czas mówił, jak by sterował, widząc to samo; dron nauczył się, co robić tuż przed drzewem, gdzie dobry pilot nigdy się nie znajdzie.
#
# Gra do góry nogami też ma swój odpowiednik: kamerę zamontowaną gdzie indziej, ramię o innej długości, chwytak zamiast dłoni. To, czego sieć nauczyła się o *miejscach*, obraca się wtedy przeciwko niej i najpierw trzeba sprawdzić, czy nie szybciej byłoby zacząć od zera.
#
# ## Ćwiczenia
#
# **1. Regresja polityki.** `student_logits` i `expert_q` mają kształt (B, A): B stanów, A akcji. Zwróć entropię krzyżową $-\sum_a \pi(a) \log p(a)$, uśrednioną po stanach, gdzie $\pi = \operatorname{softmax}(Q / \tau)$ to polityka eksperta, `tau` to $\tau$, a $p$ to softmax wyjść ucznia. Gradient ma docierać do ucznia.

# %% tags=["exercise"]
def policy_loss(student_logits, expert_q, tau):
    return ...


# %% [markdown] lang="en" tags=["hint"]
# `(expert_q / tau).softmax(1)` and `student_logits.log_softmax(1)`; the sum runs over dim 1, the mean over what is left.
# %% [markdown] lang="pl" tags=["hint"]
# `(expert_q / tau).softmax(1)` i `student_logits.log_softmax(1)`; suma biegnie po wymiarze 1, średnia po tym, co zostanie.

# %% tags=["check"]
check("policy_loss", policy_loss)


# %% tags=["solution"]
def policy_loss(student_logits, expert_q, tau):
    expert = (expert_q / tau).softmax(1)
    return -(expert * student_logits.log_softmax(1)).sum(1).mean()


# %% [markdown] lang="en"
# **2. What can be read.** `student`, (N, d), and `expert`, (N, k), are the features of N states. Return $R^2$: 1 minus the sum of squares that the best linear map *with a bias* leaves of the expert's features, divided by the sum of squares of their deviations from their means; both sums over all states and all k features, on the same N states.
# %% [markdown] lang="pl"
# **2. Co da się odczytać.** `student`, (N, d), i `expert`, (N, k), to cechy N stanów. Zwróć $R^2$: 1 minus suma kwadratów, którą najlepsze odwzorowanie liniowe *z wyrazem wolnym* zostawia z cech eksperta, podzielona przez sumę kwadratów ich odchyleń od średnich; obie sumy po wszystkich stanach i wszystkich k cechach, na tych samych N stanach.

# %% tags=["exercise"]
def readable(student, expert):
    return ...


# %% [markdown] lang="en" tags=["hint"]
# Subtract the mean over dim 0 from both: then the bias is not needed any more. `torch.linalg.lstsq(x, y).solution` is the matrix $M$ with the smallest $\| x M - y \|^2$.
# %% [markdown] lang="pl" tags=["hint"]
# Odejmij od obu średnią po wymiarze 0: wtedy wyraz wolny nie jest już potrzebny. `torch.linalg.lstsq(x, y).solution` to macierz $M$ o najmniejszym $\| x M - y \|^2$.

# %% tags=["check"]
check("readable", readable)


# %% tags=["solution"]
def readable(student, expert):
    x, y = student - student.mean(0), expert - expert.mean(0)
    left = y - x @ torch.linalg.lstsq(x, y).solution
    return 1 - left.square().sum() / y.square().sum()


# %% [markdown] lang="en"
# **3. The head start.** `new` and `old`, (n, points), are learning curves of two methods; row $i$ of both belongs to the same seed. They were measured after `updates`, (points,), which are *not* equally far apart. Return the mean of the head start, new minus old, and half the width of its 95 % interval: a pair of numbers. The height of a curve is the area under it (trapezoids) divided by the distance from the first to the last point.
# %% [markdown] lang="pl"
# **3. Przewaga na starcie.** `new` i `old`, (n, punkty), to krzywe uczenia dwóch metod; wiersz $i$ w obu należy do tego samego ziarna. Zmierzono je po `updates`, (punkty,), rozłożonych *nierówno*. Zwróć średnią przewagę, nowa minus stara, i połowę szerokości jej przedziału ufności 95 %: parę liczb. Wysokość krzywej to pole pod nią (trapezy) podzielone przez odległość od pierwszego punktu do ostatniego.

# %% tags=["exercise"]
def head_start(new, old, updates):
    return ...


# %% [markdown] lang="en" tags=["hint"]
# `torch.trapezoid(new - old, updates)` gives an area for each seed. `stats.t.ppf(0.975, n - 1)` is Student's quantile; `std()` divides by $n - 1$.
# %% [markdown] lang="pl" tags=["hint"]
# `torch.trapezoid(new - old, updates)` podaje pole dla każdego ziarna. `stats.t.ppf(0.975, n - 1)` to kwantyl rozkładu Studenta; `std()` dzieli przez $n - 1$.

# %% tags=["check"]
check("head_start", head_start)


# %% tags=["solution"]
def head_start(new, old, updates):
    gaps, n = torch.trapezoid(new - old, updates) / (updates[-1] - updates[0]), len(new)
    return gaps.mean(), stats.t.ppf(0.975, n - 1) * gaps.std() / n**0.5


# %% [markdown] lang="en"
# ## Quiz
# %% [markdown] lang="pl"
# ## Quiz

# %% tags=["quiz"]
quiz(
    Quiz(
        t("In one game a good action earns 1, in another one 1000, and the experts' values differ accordingly. What does policy regression make of that, if the temperature suits each game's values?",
          "W jednej grze dobra akcja daje 1, w drugiej 1000, i takiego rzędu są wartości ekspertów. Co z tym zrobi regresja polityki, jeśli temperatura pasuje do wartości w każdej grze?"),
        [
            (t("The second game's gradients are a thousand times larger.", "Gradienty z drugiej gry są tysiąc razy większe."), False,
             t("That would be so for the squared error of the values; here only probabilities are compared.", "Tak byłoby przy błędzie kwadratowym wartości; tu porównuje się tylko prawdopodobieństwa.")),
            (t("Nothing: each component of the gradient is a difference of two probabilities.", "Nic: każda składowa gradientu to różnica dwóch prawdopodobieństw."), True,
             t("Yes, $p_a - \\pi_a$, never larger than 1.", "Tak, $p_a - \\pi_a$, nigdy więcej niż 1.")),
            (t("The student learns the second game's values only.", "Uczeń poznaje tylko wartości z drugiej gry."), False,
             t("It learns no values at all: a constant added to all of them changes nothing.", "Nie poznaje żadnych wartości: stała dodana do wszystkich niczego nie zmienia.")),
        ],
    ),
    Quiz(
        t("A student agrees with its expert in 99 % of the expert's states. Does it play as well?", "Uczeń zgadza się z ekspertem w 99 % stanów eksperta. Czy gra równie dobrze?"),
        [
            (t("Yes, up to about 1 %.", "Tak, z dokładnością do około 1 %."), False,
             t("That holds if the 99 % were measured where the student goes.", "To prawda, jeśli 99 % zmierzono tam, dokąd chodzi uczeń.")),
            (t("That cannot be told from this number.", "Z tej liczby nie da się tego powiedzieć."), True,
             t("Yes: one error leads to states that the expert never visits, and there nothing was measured.", "Tak: jeden błąd prowadzi do stanów, których ekspert nigdy nie odwiedza, a tam niczego nie zmierzono.")),
            (t("No, it plays better, for it is regularised.", "Nie, gra lepiej, bo jest regularyzowany."), False,
             t("Averaging may help a little, but nothing here promises it.", "Uśrednianie może trochę pomóc, ale nic tu tego nie obiecuje.")),
        ],
    ),
    Quiz(
        t("Shuffling the weights within each layer took the whole head start away. What does that show?", "Potasowanie wag w każdej warstwie odebrało całą przewagę. O czym to świadczy?"),
        [
            (t("That the head start came from the weights' sizes.", "O tym, że przewaga brała się z wielkości wag."), False,
             t("The sizes are the same after shuffling.", "Po potasowaniu wielkości są te same.")),
            (t("That it came from which weight stands where, that is, from what was learned.", "O tym, że brała się z tego, która waga gdzie stoi, czyli z tego, czego sieć się nauczyła."), True,
             t("Yes: everything else was kept.", "Tak: wszystko inne zostało zachowane.")),
            (t("That DQN cannot learn from large initial weights.", "O tym, że DQN nie uczy się, gdy zaczyna od dużych wag."), False,
             t("From shuffled weights it learned about as fast as from random ones.", "Z potasowanymi wagami uczyło się mniej więcej tak szybko jak z losowymi.")),
        ],
    ),
    Quiz(
        t("You have experts for ten robot skills, and a new task comes. Nobody knows which skill it resembles. What do you do first?", "Masz ekspertów od dziesięciu umiejętności robota i przychodzi nowe zadanie. Nikt nie wie, którą z nich przypomina. Od czego zaczniesz?"),
        [
            (t("Start from the expert with the highest return.", "Od eksperta o najwyższym zwrocie."), False,
             t("Its return says how good it is in its own task, not whether that task is related.", "Jego zwrot mówi, jak dobry jest we własnym zadaniu, a nie czy to zadanie jest spokrewnione.")),
            (t("Start from one student of all ten, and measure it against a random start over a few seeds.", "Od jednego ucznia całej dziesiątki; na kilku ziarnach porównam go ze startem losowym."), True,
             t("Yes: close to the best choice without having to choose, and the measurement tells whether it helps at all.", "Tak: to prawie najlepszy wybór bez wybierania, a pomiar powie, czy w ogóle pomaga.")),
            (t("Freeze the student's trunk, so that nothing is forgotten.", "Zamrożę pień ucznia, żeby niczego nie zapomniał."), False,
             t("Frozen features were not enough for the new game here; let them learn.", "Zamrożone cechy nie wystarczyły tu w nowej grze; pozwól im się uczyć.")),
        ],
    ),
)

# %% [markdown] lang="en"
# ## What we saw
#
# - Policy regression tells the student the difference of two probabilities, $p_a - \pi_a$: what to do, not how good things are. Feature regression adds to it: clearly more of the experts' features could then be read off the student's, which was not needed for the new game.
# - A student trained on its expert's states imitated better there, and lost that lead in its own game: errors lead to where nothing was learned.
# - One network for three games played them about as well as its experts, and gave DQN a head start on a fourth game, measured over seeds as an area with its interval.
# - The closely related expert helped nearly as much as all three, another one a little, the third not at all. Actor-Mimic did no worse without being told which is which. Shuffled weights gave nothing, frozen ones too little.
# - With the screen upside down the same start did harm.
#
# The numbers of this run and of the recorded ones have to bear this out:
# %% [markdown] lang="pl"
# ## Podsumowanie
#
# - Regresja polityki mówi uczniowi, o ile różnią się dwa prawdopodobieństwa, $p_a - \pi_a$: co robić, a nie jak dobra jest sytuacja. Regresja cech coś do tego dodaje: z cech ucznia dało się potem odczytać wyraźnie więcej cech ekspertów, ale w nowej grze nie było to potrzebne.
# - Uczeń trenowany na stanach eksperta naśladował go tam lepiej, ale we własnej grze tę przewagę tracił: błędy prowadzą tam, gdzie niczego się nie nauczył.
# - Jedna sieć od trzech gier grała w nie mniej więcej tak dobrze jak jej eksperci i dała DQN przewagę w czwartej grze, zmierzoną na wielu ziarnach jako pole z przedziałem.
# - Blisko spokrewniony ekspert pomógł prawie tak samo jak wszyscy trzej, inny trochę, trzeci wcale. Uczeń Actor-Mimic wypadł nie gorzej, choć nikt mu nie powiedział, który jest który. Potasowane wagi nie dały nic, zamrożone za mało.
# - Przy ekranie do góry nogami ten sam start szkodził.
#
# Liczby z tego uruchomienia i z zapisanych przebiegów muszą to potwierdzać:

# %% tags=["claim"]
(shadow_exam, driver_exam), (shadow_own, _) = (tuple(map(np.mean, part.values())) for part in (exam, own))
scored = [min((row[2 + i] - row[0]) / (row[1] - row[0]) for row in scores.values()) for i in range(2)]
told = [[(np.mean(record.results["students"][name][game]) - record.results["random"][game]) / (np.mean(record.results["experts"][game]) - record.results["random"][game]) for game in OLD] for name in ("policy", "features", "demonstrated")]
claim(t("Exam: what students lose less a step if the expert played", "Egzamin: o ile mniej tracą na krok uczniowie, u których grał ekspert"), driver_exam - shadow_exam, at_least=0.005)
claim(t("How many times as much the same students lose in their own games", "Ile razy więcej ci sami uczniowie tracą we własnej grze"), shadow_own / shadow_exam, at_least=1.5, unit="×")
claim(t("Breakout: correlation of the return with what is lost in one's own game, all students", "Breakout: korelacja zwrotu z tym, co uczeń traci we własnej grze, wszyscy uczniowie"), np.corrcoef(np.ravel(list(own.values())), np.ravel(list(won.values())))[0, 1], at_most=-0.6)
claim(t("One student, three games: the smaller of the two students' worst score (0 at random, 1 its expert)", "Jeden uczeń, trzy gry: najgorszy wynik obu uczniów (0 losowo, 1 ekspert)"), min(scored), at_least=0.7)
claim(t("R² that feature regression adds, in the game where it adds least", "O ile regresja cech zwiększa R² w grze, w której zwiększa najmniej"), min(np.subtract(shares[list(students)[1]], shares[list(students)[0]])), at_least=0.1)
claim(t("Zigzag, this run: mean height of Actor-Mimic's curve minus that of the random start", "Zigzag, to uruchomienie: średnia wysokość krzywej Actor-Mimic minus wysokość przy starcie losowym"), height["features"] - height["random"], at_least=0.5)
claim(t("Upside down: what the start from Actor-Mimic loses against a random start", "Do góry nogami: ile start z Actor-Mimic traci wobec startu losowego"), height["random"] - height["turned"], at_least=0.2)
claim(t("Recorded: worst score of a student in a game, also of those from the experts' states", "Zapisane: najgorszy wynik ucznia w grze, także uczniów ze stanów ekspertów"), min(map(min, told)), at_least=0.8)
claim(t("Recorded: lower end of the interval of Actor-Mimic's head start, both losses", "Zapisane: dolny koniec przedziału przewagi Actor-Mimic, obie straty"), lowest["features"], at_least=1)
claim(t("The same, policy only", "To samo, tylko polityka"), lowest["policy"], at_least=1)
claim(t("The same, catch alone", "To samo, samo catch"), lowest["catch"], at_least=1)
claim(t("How far Actor-Mimic, policy only, is below catch alone, on average", "O ile Actor-Mimic, tylko polityka, jest średnio poniżej samego catch"), (gains["catch"] - gains["policy"]).mean(), at_most=0.5)
claim(t("How far invaders alone is below catch alone, on average", "O ile samo invaders jest średnio poniżej samego catch"), (gains["catch"] - gains["invaders"]).mean(), at_least=0.5)
claim(t("Recorded: head start from breakout alone, mean", "Zapisane: przewaga z samego breakout, średnia"), gains["breakout"].mean(), at_most=0.3)
claim(t("The same with shuffled weights", "To samo z potasowanymi wagami"), gains["shuffled"].mean(), at_most=0.5)
ahead = (runs["frozen"] - runs["random"]).mean(0)
claim(t("Frozen trunk: how far it is ahead of the random start after a quarter of the updates", "Zamrożony pień: o ile wyprzedza start losowy po ćwierci aktualizacji"), ahead[len(ahead) // 4], at_least=0.3)
claim(t("The same: how far it is behind at the end", "To samo: o ile zostaje w tyle na końcu"), -ahead[-1], at_least=0.5)

# %% [markdown] lang="en"
# ## Where to go next
#
# - Parisotto, Ba and Salakhutdinov 2015, *Actor-Mimic: Deep Multitask and Transfer Reinforcement Learning*, [arXiv 1511.06342](https://arxiv.org/abs/1511.06342)
# - Ross, Gordon and Bagnell 2011, *A Reduction of Imitation Learning and Structured Prediction to No-Regret Online Learning*, [arXiv 1011.0686](https://arxiv.org/abs/1011.0686)
# - Rusu et al. 2015, *Policy Distillation*, [arXiv 1511.06295](https://arxiv.org/abs/1511.06295)
# - Rusu et al. 2016, *Progressive Neural Networks*, which keep the old network and add a new one beside it, [arXiv 1606.04671](https://arxiv.org/abs/1606.04671)
# - Teh et al. 2017, *Distral: Robust Multitask Reinforcement Learning*, where experts and student learn at the same time, [arXiv 1707.04175](https://arxiv.org/abs/1707.04175)
# - Zhuang et al. 2023, *Robot Parkour Learning*, [arXiv 2309.05665](https://arxiv.org/abs/2309.05665)
#
# [Lesson 10](10_policy_distillation.ipynb) distils with the teachers playing. [Lesson 12](12_darla.ipynb) carries something else over: a way of seeing.
# %% [markdown] lang="pl"
# ## Co dalej
#
# - Parisotto, Ba i Salakhutdinov 2015, *Actor-Mimic: Deep Multitask and Transfer Reinforcement Learning*, [arXiv 1511.06342](https://arxiv.org/abs/1511.06342)
# - Ross, Gordon i Bagnell 2011, *A Reduction of Imitation Learning and Structured Prediction to No-Regret Online Learning*, [arXiv 1011.0686](https://arxiv.org/abs/1011.0686)
# - Rusu i in. 2015, *Policy Distillation*, [arXiv 1511.06295](https://arxiv.org/abs/1511.06295)
# - Rusu i in. 2016, *Progressive Neural Networks*, które zachowują dawną sieć i dostawiają obok niej nową, [arXiv 1606.04671](https://arxiv.org/abs/1606.04671)
# - Teh i in. 2017, *Distral: Robust Multitask Reinforcement Learning*, gdzie eksperci i uczeń uczą się równocześnie, [arXiv 1707.04175](https://arxiv.org/abs/1707.04175)
# - Zhuang i in. 2023, *Robot Parkour Learning*, [arXiv 2309.05665](https://arxiv.org/abs/2309.05665)
#
# [Lekcja 10](10_policy_distillation.ipynb) destyluje wtedy, gdy grają nauczyciele. [Lekcja 12](12_darla.ipynb) przenosi coś innego: sposób patrzenia.
