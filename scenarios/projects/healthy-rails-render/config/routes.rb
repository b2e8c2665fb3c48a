Rails.application.routes.draw do
  get 'up' => 'rails/health#show', as: :health
  root 'items#index'
  resources :items, only: %i[index show]
end
